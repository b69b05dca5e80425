/** Directives that have a block, and those of which it is certain that they have none, by their names. */
const WITH_BLOCK = /^(?:http|events|stream|mail|location|upstream|if|limit_except|map|geo|types|split_clients)$/;
const WITHOUT_BLOCK =
  /^(?!.*_block$)(?:proxy_\w+|ssl_\w+|worker_\w+|client_\w+|access_log|error_log|log_format|listen|server_name|include|return|rewrite|set|root|alias|index|try_files|add_header|expires|resolver|keepalive\w*|send_timeout|user|pid|gzip\w*|allow|deny|internal)$/;
/** In these every word may be a key. */
const TABLES = /^(?:map|geo|types|split_clients|charset_map)$/;

/**
 * What nginx says about a directive that ends with `;` and needs a block, or the reverse: a forgotten `;` before a block makes one
 * directive of two, and no brace is missing.
 */
export function shapeProblem(name: string, hasBlock: boolean, parent: string | undefined): string | undefined {
  if (parent !== undefined && TABLES.test(parent)) return undefined;
  if (!hasBlock && WITH_BLOCK.test(name)) return `'${name}' has no block: a '{' is missing`;
  return hasBlock && WITHOUT_BLOCK.test(name) ? `'${name}' is not terminated by ';'` : undefined;
}
