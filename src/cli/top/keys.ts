/** What a terminal sends, as names of keys. Owns escape sequences; knows no command. */

/** `text`: characters that were typed or pasted. */
export type Key =
  | { readonly type: "text"; readonly text: string }
  | { readonly type: KeyName };

export type KeyName =
  | "up"
  | "down"
  | "left"
  | "right"
  | "home"
  | "end"
  | "page-up"
  | "page-down"
  | "enter"
  | "escape"
  | "tab"
  | "back-tab"
  | "backspace"
  | "clear"
  | "interrupt";

const SEQUENCES: Readonly<Record<string, KeyName>> = {
  "A": "up",
  "B": "down",
  "C": "right",
  "D": "left",
  "H": "home",
  "F": "end",
  "Z": "back-tab",
  "1~": "home",
  "4~": "end",
  "5~": "page-up",
  "6~": "page-down",
  "7~": "home",
  "8~": "end",
};

const CONTROLS: Readonly<Record<string, KeyName>> = {
  "\r": "enter",
  "\n": "enter",
  "\t": "tab",
  "\x7f": "backspace",
  "\b": "backspace",
  "\x03": "interrupt",
  "\x04": "page-down",
  "\x06": "page-down",
  "\x02": "page-up",
  "\x0e": "down",
  "\x10": "up",
  "\x15": "clear",
};

/** A whole sequence at the beginning: `ESC [ 5 ~`, `ESC O A`, `ESC [ 1 ; 5 A`. */
// deno-lint-ignore no-control-regex
const WHOLE = /^\x1b[[O]([\d;]*)([A-Za-z~])/;
// deno-lint-ignore no-control-regex
const BEGUN = /^\x1b([[O][\d;]*)?$/;

/** Turns text that comes in pieces into keys. */
export class KeyReader {
  #rest = "";

  /** Whether a sequence has begun that may yet go on; else it was the Escape key. */
  get isWaiting(): boolean {
    return this.#rest !== "";
  }

  read(text: string): Key[] {
    const keys: Key[] = [];
    let left = this.#rest + text;
    this.#rest = "";
    while (left !== "") {
      if (BEGUN.test(left)) {
        this.#rest = left;
        break;
      }
      const sequence = WHOLE.exec(left);
      if (sequence !== null) {
        const name = SEQUENCES[nameOf(sequence[1]!, sequence[2]!)];
        if (name !== undefined) keys.push({ type: name }); // another key: ignored
        left = left.slice(sequence[0].length);
      } else if (left.startsWith("\x1b")) {
        keys.push({ type: "escape" });
        left = left.slice(1);
      } else {
        // deno-lint-ignore no-control-regex
        const typed = /^[^\x00-\x1f\x7f]+/.exec(left)?.[0];
        const control = CONTROLS[left[0]!];
        if (typed !== undefined) keys.push({ type: "text", text: typed });
        else if (control !== undefined) keys.push({ type: control });
        left = left.slice(typed?.length ?? 1);
      }
    }
    return keys;
  }

  /** Nothing more has come: what has begun was the Escape key. */
  flush(): Key[] {
    const hasBegun = this.isWaiting;
    this.#rest = "";
    return hasBegun ? [{ type: "escape" }] : [];
  }
}

/** Modifiers, as in `1;5`, do not matter. */
function nameOf(parameters: string, last: string): string {
  return last === "~" ? `${parameters.split(";")[0]}~` : last;
}
