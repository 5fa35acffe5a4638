/** Says lines of the protocol, each whole and at once, also while a handler keeps the thread busy. */

export class Speaker {
  readonly #out: { writeSync(bytes: Uint8Array): number };

  constructor(out: { writeSync(bytes: Uint8Array): number }) {
    this.#out = out;
  }

  say(line: Record<string, unknown>): void {
    let rest: Uint8Array = new TextEncoder().encode(`${JSON.stringify(line)}\n`);
    while (rest.length > 0) rest = rest.subarray(this.#out.writeSync(rest));
  }

  /** Where an error came from: among what the attempt wrote to stderr. */
  trace(text: string): void {
    this.say({ type: "log", stream: "stderr", text });
  }
}
