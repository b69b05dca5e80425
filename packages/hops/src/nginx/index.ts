export { filesOfDump } from './dump.js';
export { effective, effectiveOne, effectiveValue, enclosing, own, walk } from './effective.js';
export { escapeWord, type Token, tokenize, type TokenKind, unescape } from './lexer.js';
export { type Directive, type NginxFile, parseNginx, type SyntaxProblem, type Word } from './parser.js';
export { type Node, type NginxTree, nginxTree, readNginx, type TreeProblem } from './tree.js';
export { count, timeMs, variables, writtenMs } from './values.js';
