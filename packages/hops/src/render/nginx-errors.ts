import { block, type Line } from './conf.js';

/** What nginx itself answers with, and what a client reads of it. A pod's own errors pass as they are. */
export const ERROR_TEXTS: ReadonlyMap<number, string> = new Map([
  [400, 'bad request'],
  [403, 'forbidden'],
  [404, 'not found'],
  [405, 'method not allowed'],
  [408, 'request timeout'],
  [413, 'too large'],
  [414, 'URI too long'],
  [429, 'too many connections or requests'],
  [500, 'internal error'],
  [502, 'no pod answered'],
  [503, 'unavailable'],
  [504, 'no pod answered in time'],
]);

/** When to come back, in seconds, where coming back helps. */
const RETRY_AFTER: ReadonlyMap<number, number> = new Map([
  [429, 5],
  [502, 5],
  [503, 5],
  [504, 5],
]);

export const ERROR_PAGE = {
  directives: [`error_page ${[...ERROR_TEXTS.keys()].join(' ')} @holdfast_error;`],
  location: [
    '# The status is that of the error: a page of errors does not replace it.',
    block(
      'location @holdfast_error',
      'default_type application/json;',
      'add_header Retry-After $holdfast_retry_after always;',
      String.raw`return 200 '{"error":{"status":$status,"message":"$holdfast_error"}}\n';`,
    ),
  ] satisfies Line[],
};

/** Texts of the error pages. Every service's file has them, and says the same. */
export const errorPages = (): Line[] => [
  block(
    'map $status $holdfast_error',
    "default 'error';",
    ...[...ERROR_TEXTS].map(([status, text]) => `${status} '${text}';`),
  ),
  block(
    'map $status $holdfast_retry_after',
    "default '';",
    ...[...RETRY_AFTER].map(([status, afterS]) => `${status} ${afterS};`),
  ),
  '',
];
