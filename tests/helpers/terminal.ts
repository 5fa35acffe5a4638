/**
 * A terminal as a program sees it: `script` of util-linux gives it a pseudo-terminal, and what it
 * writes there is drawn on a screen of characters. Owns the process; knows as much of escape
 * sequences as queuectl uses, and fails on any other.
 *
 * Invariant: when it is disposed its process has ended.
 */
import { program } from "./cli.ts";
import { eventually } from "./eventually.ts";

/** Whether this machine has the program that makes terminals. */
export const HAS_TERMINALS = await new Deno.Command("script", { args: ["--version"] }).output()
  .then(({ success, stdout }) => success && new TextDecoder().decode(stdout).includes("util-linux"))
  .catch(() => false);

/** What stands on a screen after all that was written. */
class Screen {
  columns: number;
  rows: number;
  isAlternate = false;
  isCursorHidden = false;
  /** The most columns that were used. */
  widest = 0;
  #cells: string[][];
  #main: string[][] = [];
  #row = 0;
  #column = 0;

  constructor(columns: number, rows: number) {
    this.columns = columns;
    this.rows = rows;
    this.#cells = this.#blank();
  }

  get lines(): string[] {
    return this.#cells.map((row) => row.join("").trimEnd());
  }

  get text(): string {
    return this.lines.join("\n").trimEnd();
  }

  /** What stood on it is gone until it is drawn again. */
  resize(columns: number, rows: number): void {
    this.columns = columns;
    this.rows = rows;
    this.#cells = this.#blank();
    this.#row = this.#column = 0;
  }

  write(text: string): void {
    for (const part of text.matchAll(PART)) {
      if (part[1] !== undefined) this.#control(part[1], part[2]!);
      else if (part[0] === "\n") this.#newLine();
      else if (part[0] === "\r") this.#column = 0;
      // deno-lint-ignore no-control-regex
      else if (/[\x00-\x1f\x7f-\x9f]/.test(part[0])) {
        throw new Error(`an unexpected control character: ${JSON.stringify(part[0])}`);
      } else this.#put(part[0]);
    }
  }

  #put(character: string): void {
    if (this.#column >= this.columns) {
      this.#column = 0;
      this.#newLine();
    }
    this.#cells[this.#row]![this.#column++] = character;
    this.widest = Math.max(this.widest, this.#column);
  }

  #newLine(): void {
    if (++this.#row < this.rows) return;
    this.#row = this.rows - 1;
    this.#cells.shift();
    this.#cells.push(Array(this.columns).fill(" "));
  }

  #control(parameters: string, name: string): void {
    const numbers = parameters.split(";").map((one) => Number(one.replace("?", "")) || 0);
    switch (name) {
      case "m":
        return;
      case "H":
        this.#row = Math.min(this.rows, numbers[0] || 1) - 1;
        this.#column = (numbers[1] || 1) - 1;
        return;
      case "A":
        this.#row = Math.max(0, this.#row - (numbers[0] || 1));
        return;
      case "G": // the runtime's own progress
        this.#column = Math.max(1, numbers[0]!) - 1;
        return;
      case "K":
        return void this.#cells[this.#row]!.fill(" ", numbers[0] === 2 ? 0 : this.#column);
      case "J":
        if (numbers[0] === 2) this.#cells = this.#blank();
        else {
          this.#cells[this.#row]!.fill(" ", this.#column);
          for (const row of this.#cells.slice(this.#row + 1)) row.fill(" ");
        }
        return;
      case "h":
      case "l":
        return this.#mode(parameters, name === "h");
      default:
        throw new Error(`an unexpected sequence: ESC [ ${parameters} ${name}`);
    }
  }

  #mode(parameters: string, isOn: boolean): void {
    if (parameters === "?25") this.isCursorHidden = !isOn;
    else if (parameters === "?1049") {
      if (isOn) this.#main = this.#cells;
      this.#cells = isOn ? this.#blank() : this.#main;
      this.isAlternate = isOn;
    } else throw new Error(`an unexpected mode: ${parameters}`);
  }

  #blank(): string[][] {
    return Array.from({ length: this.rows }, () => Array(this.columns).fill(" "));
  }
}

/** A sequence, or a character. */
// deno-lint-ignore no-control-regex
const PART = /\x1b\[([?\d;]*)([A-Za-z])|[\s\S]/gu;

export interface TerminalOptions {
  readonly db: string;
  readonly columns?: number;
  readonly rows?: number;
  readonly env?: Readonly<Record<string, string>>;
}

/** A command that runs on a terminal. */
export class Terminal implements AsyncDisposable {
  readonly screen: Screen;
  /** Everything that was written. */
  written = "";
  /** Its exit code. */
  readonly ended: Promise<number>;
  readonly #child: Deno.ChildProcess;
  readonly #keys: WritableStreamDefaultWriter<Uint8Array>;

  constructor(args: readonly string[], { db, columns = 80, rows = 24, env }: TerminalOptions) {
    const { command, args: first } = program();
    const words = [command, ...first, ...args].map((word) => `'${word.replaceAll("'", "'\\''")}'`);
    const line = `stty cols ${columns} rows ${rows}; echo "pid=$$"; exec ${words.join(" ")}`;
    this.screen = new Screen(columns, rows);
    this.#child = new Deno.Command("script", {
      args: ["-qefc", line, "/dev/null"],
      env: { QUEUECTL_DB: db, TERM: "xterm", SHELL: "/bin/sh", NO_COLOR: "", ...env },
      stdin: "piped",
      stdout: "piped",
    }).spawn();
    this.#keys = this.#child.stdin.getWriter();
    this.ended = this.#run();
  }

  /** Of the program itself. */
  get pid(): number {
    return Number(/pid=(\d+)/.exec(this.written)![1]);
  }

  async press(keys: string): Promise<void> {
    await this.#keys.write(new TextEncoder().encode(keys));
  }

  /** Changes its size, as somebody who drags the corner of a window. */
  async resize(columns: number, rows: number): Promise<void> {
    this.screen.resize(columns, rows);
    const size = ["cols", String(columns), "rows", String(rows)];
    const { success } = await new Deno.Command("stty", {
      args: ["-F", `/proc/${this.pid}/fd/0`, ...size],
    }).output();
    if (!success) throw new Error("the terminal could not be resized");
  }

  /** Waits until the screen shows it. */
  async shows(pattern: RegExp): Promise<void> {
    await eventually(() => pattern.test(this.screen.text), {
      what: `the screen shows ${pattern}`,
      timeoutMs: 60_000,
    }).catch((error) => {
      throw new Error(`${error.message}; it shows\n${this.screen.text}`);
    });
  }

  async [Symbol.asyncDispose](): Promise<void> {
    try {
      this.#child.kill("SIGKILL");
    } catch {
      // It has ended already.
    }
    await this.ended;
  }

  async #run(): Promise<number> {
    for await (const text of this.#child.stdout.pipeThrough(new TextDecoderStream())) {
      this.written += text;
      this.screen.write(text);
    }
    await this.#keys.close().catch(() => {});
    return (await this.#child.status).code;
  }
}
