/**
 * What several write at once, one after the other: who began first is heard as it writes, the others
 * when those before them have ended.
 *
 * Owns the order of the texts; knows neither who writes nor where it goes.
 *
 * Invariant: every text is passed on once, and those of one writer stand together, in their order.
 */
export interface Turn {
  write(text: string): void;
  /** Nothing more comes from this writer. */
  end(): void;
}

interface Entry {
  readonly held: string[];
  isOver: boolean;
}

export class Turns {
  /** In the order in which they began; the first is heard at once. */
  readonly #entries: Entry[] = [];

  constructor(readonly passOn: (text: string) => void) {}

  begin(): Turn {
    const entry: Entry = { held: [], isOver: false };
    this.#entries.push(entry);
    return {
      write: (text) => {
        entry.held.push(text);
        this.#advance();
      },
      end: () => {
        entry.isOver = true;
        this.#advance();
      },
    };
  }

  /** Passes on what is held back, for an end that came too early. */
  flush(): void {
    for (const { held } of this.#entries.splice(0)) held.forEach(this.passOn);
  }

  #advance(): void {
    for (let first = this.#entries[0]; first !== undefined; first = this.#entries[0]) {
      first.held.splice(0).forEach((text) => this.passOn(text));
      if (!first.isOver) return;
      this.#entries.shift();
    }
  }
}
