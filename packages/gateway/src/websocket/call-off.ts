/** Ends something that is under way. An `AbortController` for every connection would be an event target and two objects more. */
export class CallOff {
  #isOff = false;
  #end: (() => void) | undefined;

  get isOff(): boolean {
    return this.#isOff;
  }

  callOff(): void {
    this.#isOff = true;
    this.#end?.();
  }

  /** What is to be called, by who is under way now. */
  set end(end: (() => void) | undefined) {
    this.#end = end;
  }
}
