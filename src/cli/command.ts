/** The shapes of a command: how it is described in the table, and what it is given to run. */
import type { SettingName, SettingTexts } from "../config/settings.ts";
import { UsageError } from "./exit.ts";
import type { CliIo } from "./io.ts";
import type { Output } from "./output.ts";

export interface ArgumentSpec {
  readonly name: string;
  readonly doc: string;
  readonly isOptional?: true;
  /** Takes all that follow. */
  readonly isMany?: true;
  /** A word such as `-1s` is its value, right or wrong, and no option. */
  readonly mayBeginWithDash?: true;
  /** What it can be, for completions. */
  readonly choices?: readonly string[];
}

export interface OptionSpec {
  /** As people write it: `-f, --follow`, `--limit <n>`. */
  readonly flags: string;
  readonly doc: string;
  /** May be given several times. */
  readonly isMany?: true;
  readonly choices?: readonly string[];
}

export interface CommandSpec {
  /** The words that call it: `["worker", "start"]`. */
  readonly path: readonly string[];
  readonly summary: string;
  /** More than the summary, for its help page. */
  readonly description?: string;
  readonly arguments?: readonly ArgumentSpec[];
  readonly options?: readonly OptionSpec[];
  /** The settings that it takes as flags. */
  readonly settings: readonly SettingName[];
  /** Command lines without the program's name, each with what it does. */
  readonly examples: readonly (readonly [string, string])[];
  /** Added to complaints about its usage. */
  readonly usageHint?: string;
  /** Loads what runs it; only then are the modules it needs read. */
  readonly load: () => Promise<{ run(invocation: Invocation): Promise<number> }>;
}

/** A command with what the user gave it. */
export interface Invocation {
  readonly spec: CommandSpec;
  readonly args: readonly string[];
  /** Those of the arguments that stood after `--`. */
  readonly literal: readonly string[];
  readonly options: Options;
  /** Settings given as flags. */
  readonly flags: SettingTexts;
  readonly io: CliIo;
  readonly out: Output;
}

/** Options by their long name, without dashes. */
export class Options {
  readonly #values: ReadonlyMap<string, unknown>;

  constructor(values: ReadonlyMap<string, unknown>) {
    this.#values = values;
  }

  has(name: string): boolean {
    return this.#values.has(name);
  }

  isOn(name: string): boolean {
    return this.#values.get(name) === true;
  }

  text(name: string): string | undefined {
    const value = this.#values.get(name);
    return typeof value === "string" ? value : undefined;
  }

  texts(name: string): readonly string[] {
    return (this.#values.get(name) as string[] | undefined) ?? [];
  }

  /** A number if the text is one, else the text, for those who check it later. */
  numberOrText(name: string): number | string | undefined {
    const text = this.text(name);
    return text !== undefined && /^[+-]?\d{1,15}(\.\d+)?$/.test(text) ? Number(text) : text;
  }

  /** @throws {UsageError} when it is not a whole number in the range. */
  integer(name: string, { least, most }: { least: number; most: number }): number | undefined {
    const text = this.text(name);
    if (text === undefined) return undefined;
    const number = /^[+-]?\d{1,15}$/.test(text) ? Number(text) : NaN;
    if (number >= least && number <= most) return number;
    throw new UsageError(
      `--${name}: expected a whole number from ${least} to ${most}, got ${JSON.stringify(text)}`,
    );
  }
}
