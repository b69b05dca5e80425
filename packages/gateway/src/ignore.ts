/**
 * For what nobody needs to know: the errors of sockets, whose end says enough, and what is said to somebody who was refused. One function for all, as
 * a new one would hold what it was made beside.
 */
export const ignore = (): void => undefined;
