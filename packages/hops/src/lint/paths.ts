/** Words that a path with WebSockets behind it usually has, standing by themselves. */
const WORDS =
  /(?:^|[^a-z0-9])(?:wss?|sockets?|sock(?:et)?\.?io|sockjs|cable|(?:chat)?hubs?|realtime)(?:$|[^a-z0-9])|web-?socket|signalr/i;
/** `ChatHub`, as SignalR has it, but not `GitHub`. */
const HUB = /(?<!Git)[a-z]Hub(?:$|[^a-z])/;

/** Whether a path, or the regular expression of one, looks as if WebSockets were behind it. */
export function looksLikeWebSocket(path: string): boolean {
  const plain = path.slice(0, 500).replaceAll('\\', '');
  return WORDS.test(plain) || HUB.test(plain);
}

/** Libraries whose WebSocket path serves plain HTTP as well: long polling, negotiation. */
export const servesPolling = (path: string): boolean =>
  /socket\\?\.io|sockjs|signalr|engine\\?\.io/i.test(path.slice(0, 500));

/** Whether a path is one of plain HTTP by its name. */
export const looksPlain = (path: string): boolean =>
  /(?:^|\/)(?:api|rest|static|assets|images?|media|fonts|health[a-z]*|ready[a-z]*|live(?:ness)?z?|metrics|status|favicon|robots|login|auth|oauth2?|docs)(?:$|[^a-z0-9])|\.(?:css|js|png|jpe?g|gif|ico|svg|woff2?|php)/i.test(
    path.slice(0, 500).replaceAll('\\', ''),
  );

/** Whether a regular expression of a configuration matches a path. One that could run away, or is none here, does not. */
export function regexMatches(pattern: string, flags: '' | 'i', path: string): boolean {
  if (pattern.length > 500 || path.length > 200 || /[+*}][^()]*\)[+*{?]/.test(pattern)) return false;
  try {
    return new RegExp(pattern, flags).test(path);
  } catch {
    return false;
  }
}

/** Whether a path lies under a prefix, as Kubernetes and Envoy compare them: by whole segments. */
export function isUnder(path: string, prefix: string): boolean {
  const bare = prefix.replace(/\/$/, '');
  return path === bare || path.startsWith(`${bare}/`);
}

/** The routes that take one of the paths: for each path the one with the longest prefix, or what comes first. */
export function routesOf<Route>(
  paths: readonly string[],
  routes: readonly Route[],
  prefixesOf: (route: Route) => readonly string[],
): ReadonlySet<Route> {
  const found = new Set<Route>();
  for (const path of paths) {
    let longest = -1;
    let taken: Route | undefined;
    for (const route of routes) {
      for (const prefix of prefixesOf(route)) {
        if (prefix.length > longest && isUnder(path, prefix)) [longest, taken] = [prefix.length, route];
      }
    }
    if (taken !== undefined) found.add(taken);
  }
  return found;
}
