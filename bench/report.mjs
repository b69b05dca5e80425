/** Median and range of the figures of several runs. */
export function spread(values) {
  const sorted = [...values].sort((a, b) => a - b);
  const middle = sorted.length >> 1;
  const median = sorted.length % 2 ? sorted[middle] : (sorted[middle - 1] + sorted[middle]) / 2;
  return { min: sorted[0], median, max: sorted.at(-1) };
}

const digits = (value) => (value >= 100 ? Math.round(value).toLocaleString('en') : value.toFixed(2));

/** Prints `figures[row][column]`, each an array over runs, with the given column titles. */
export function printTable(figures, columns) {
  const cell = (values) => {
    const { min, median, max } = spread(values);
    return `${digits(median)} (${digits(min)}-${digits(max)})`;
  };
  const rows = [
    ['', ...Object.values(columns)],
    ...Object.entries(figures).map(([name, all]) => [name, ...Object.keys(columns).map((column) => cell(all[column]))]),
  ];
  const widths = rows[0].map((_, i) => Math.max(...rows.map((row) => row[i].length)));
  for (const row of rows) console.log(row.map((text, i) => text.padEnd(widths[i])).join('  '));
}
