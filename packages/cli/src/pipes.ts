/** What `process.stdout` and `process.stderr` have of a stream. */
export interface Pipe {
  on(event: 'error', listener: (error: NodeJS.ErrnoException) => void): unknown;
}

/**
 * Lets a reader go before the writer: `holdfast lint . | head` is in order, and a program that serves others does not end because nobody
 * reads its log any more. Any other error of the stream is thrown.
 */
export function outliveReaders(...pipes: readonly Pipe[]): void {
  for (const pipe of pipes) {
    pipe.on('error', (error) => {
      if (error.code !== 'EPIPE') throw error;
    });
  }
}
