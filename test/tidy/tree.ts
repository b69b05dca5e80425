import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import ts from 'typescript';

export const root = join(import.meta.dirname, '../..');

/** Folders that .gitignore names, by name or by path. */
const notOurs = /(?:^|\/)(?:node_modules|dist|coverage|\.git)$|^(?:data|\.cache)$/;
const textFile = /\.(?:[cm]?[jt]sx?|json|md|ya?ml|html|css|sh)$|^\.ci\/run$/;
const codeFile = /\.[cm]?[jt]sx?$/;

/** A text file of the repository; `path` is relative to the root, with forward slashes. */
export interface TextFile {
  path: string;
  text: string;
}

/** Every text file of the repository that people write. */
export function textFiles(folder = ''): TextFile[] {
  return readdirSync(join(root, folder), { withFileTypes: true }).flatMap((entry) => {
    const path = folder === '' ? entry.name : `${folder}/${entry.name}`;
    if (entry.isDirectory()) return notOurs.test(path) ? [] : textFiles(path);
    return textFile.test(path) && entry.isFile() ? [{ path, text: readFileSync(join(root, path), 'utf8') }] : [];
  });
}

export function isCode(file: TextFile): boolean {
  return codeFile.test(file.path);
}

/** A test, or a fixture that tests share: neither is built, published, or bound by the package arrows. */
export function isTest(file: TextFile): boolean {
  return /\.(?:test|fixture)\.[cm]?[jt]s$/.test(file.path) || file.path.startsWith('test/');
}

/** The folder name of the package whose source this file is, if it is source of a package. */
export function packageOf(file: TextFile): string | undefined {
  return /^packages\/([^/]+)\/src\//.exec(file.path)?.[1];
}

export function parse(file: TextFile): ts.SourceFile {
  return ts.createSourceFile(file.path, file.text, ts.ScriptTarget.ESNext, true);
}

export function visit(node: ts.Node, see: (node: ts.Node) => void): void {
  see(node);
  ts.forEachChild(node, (child) => visit(child, see));
}

/** The `path:line` of a node, which terminals and editors turn into a link. */
export function at(node: ts.Node): string {
  const source = node.getSourceFile();
  return `${source.fileName}:${source.getLineAndCharacterOfPosition(node.getStart()).line + 1}`;
}
