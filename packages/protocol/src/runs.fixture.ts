declare const process: { readonly env: Readonly<Record<string, string | undefined>> };

/** How many runs of a property there are: as many as is usual, or as many as `HOLDFAST_RUNS` says for a long hunt. */
export const runsOf = (usual: number): number => Number(process.env['HOLDFAST_RUNS'] ?? usual);
