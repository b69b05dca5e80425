import { render, type RenderedFile, type Rendering } from '@holdfast/hops';
import { loadPolicy, pick } from '@holdfast/policy';
import { errors, HoldfastError } from '@holdfast/store';
import type { Output } from '../program.js';
import type { RenderOptions } from '../render-command.js';
import { compare, write, type Staleness } from './files.js';

/** Runs `holdfast render` to its exit code. */
export async function renderPolicy(options: RenderOptions, output: Output): Promise<number> {
  if (options.check && options.out === undefined) {
    throw new HoldfastError(errors.OPTION, '--check without --out: there are no files to look at');
  }
  const { policy } = await loadPolicy(options.file, { environment: options.env });
  const renderings = render(policy, pick(policy, options.env), options.target);
  const files = renderings.flatMap((rendering) => rendering.files);
  if (options.out === undefined) print(options, renderings, output);
  else if (options.check) return checked(options.out, files, options.json, output);
  else await written(options.out, renderings, options, output);
  return 0;
}

/** Files one after another, each under a line with its path that the languages of all of them take for a comment. */
function print({ json }: RenderOptions, renderings: readonly Rendering[], output: Output): void {
  if (json) {
    output.out(`${JSON.stringify(renderings, undefined, 2)}\n`);
    return;
  }
  const files = renderings.flatMap((rendering) => rendering.files);
  const separator = (file: RenderedFile): string => (/\.ya?ml$/.test(file.path) ? '---\n' : '');
  for (const file of files) {
    output.out(files.length === 1 ? file.text : `${separator(file)}# ${file.path}\n${file.text}\n`);
  }
}

async function written(
  directory: string,
  renderings: readonly Rendering[],
  { force, json }: RenderOptions,
  output: Output,
): Promise<void> {
  const paths = await write(
    directory,
    renderings.flatMap(({ files }) => files),
    force,
  );
  if (json) {
    const notes = renderings.map(({ target, notes: told }) => ({ target, notes: told }));
    output.out(`${JSON.stringify({ written: paths, renderings: notes }, undefined, 2)}\n`);
    return;
  }
  for (const path of paths) output.out(`${path}\n`);
  for (const { target, notes } of renderings) for (const note of notes) output.error(`${target}: ${note}\n`);
}

const WORDS: Readonly<Record<Staleness, string>> = {
  missing: 'is not there',
  differs: 'is not what the policy renders',
  leftover: 'is not rendered any more',
};

async function checked(
  directory: string,
  files: readonly RenderedFile[],
  json: boolean,
  output: Output,
): Promise<number> {
  const stale = await compare(directory, files);
  if (json) output.out(`${JSON.stringify({ upToDate: stale.length === 0, stale }, undefined, 2)}\n`);
  else if (stale.length === 0) output.out(`${files.length} files are up to date\n`);
  else for (const { path, state } of stale) output.out(`${path} ${WORDS[state]}\n`);
  return stale.length === 0 ? 0 : 1;
}
