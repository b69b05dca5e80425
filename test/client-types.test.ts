import { join } from 'node:path';
import ts from 'typescript';
import { expect, it } from 'vitest';

const program = `
import { WebSocket, type SocketStatistics } from '@holdfast/client';
const socket = new WebSocket('ws://server.test', 'chat', { auth: () => 'token', transport: { headers: { a: 'b' } } });
socket.addEventListener('gap', ({ from, to }) => { const missing: number = to - from + 1; return missing; });
socket.addEventListener('message', ({ data, topic }) => { const name: string | undefined = topic; return [data, name]; });
socket.onclose = ({ code, reason, wasClean }) => { const end: [number, string, boolean] = [code, reason, wasClean]; return end; };
export const statistics: SocketStatistics = socket.getStatistics();
export const timer: NodeJS.Timeout = setTimeout(() => socket.close(1000), 10);
`;

it('compiles in a program for Node that has not the types of the DOM, declarations included', () => {
  const name = join(import.meta.dirname, 'program-for-node.ts');
  const options: ts.CompilerOptions = {
    target: ts.ScriptTarget.ES2022,
    lib: ['lib.es2022.d.ts'],
    module: ts.ModuleKind.NodeNext,
    moduleResolution: ts.ModuleResolutionKind.NodeNext,
    types: ['node'],
    strict: true,
    noEmit: true,
    skipLibCheck: false,
  };
  const host = ts.createCompilerHost(options);
  const { fileExists, readFile, getSourceFile } = host;
  host.fileExists = (path) => path === name || fileExists(path);
  host.readFile = (path) => (path === name ? program : readFile(path));
  host.getSourceFile = (path, version, ...rest) =>
    path === name ? ts.createSourceFile(path, program, version) : getSourceFile(path, version, ...rest);
  const diagnostics = ts.getPreEmitDiagnostics(ts.createProgram([name], options, host));
  expect(diagnostics.map(({ messageText }) => ts.flattenDiagnosticMessageText(messageText, '\n'))).toEqual([]);
});
