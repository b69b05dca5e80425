/** For errors of sockets: that a connection has ended says enough. One function for all, as a new one would hold what it was made beside. */
export const ignore = (): void => undefined;
