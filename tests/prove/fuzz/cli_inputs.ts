/**
 * Command lines and settings that nobody should type. Made from the program's own tables, so that a
 * new command or setting is tried too.
 *
 * Invariant: no command line made here runs for long, speaks to another machine, or writes to a file
 * other than the database that the environment names.
 */
import type { CommandSpec } from "../../../src/cli/command.ts";
import { COMMANDS } from "../../../src/cli/commands.ts";
import { SETTING_NAMES, type SettingName } from "../../../src/config/settings.ts";
import type { Random } from "../../../src/lib/clock.ts";
import { between, oneOf } from "../random.ts";
import { nastyText } from "./junk.ts";

/** Would run on, or reach out; an option that does not exist keeps them from that. */
const HARMFUL = new Set(["serve", "worker", "worker start", "submit", "healthcheck", "wait"]);
const STOPPER = "--no-such-option";

/** They choose files, or load code. */
const KEPT_OUT: readonly SettingName[] = ["db", "log-file", "token-file", "sqlite-driver"];
const NAMES_A_FILE = /file|path|database|follow|watch|log/i;

/** The words after the program's name. */
export function commandLine(random: Random): string[] {
  if (random() < 0.05) return Array.from({ length: between(random, 0, 4) }, () => plain(random));
  const spec = oneOf(random, COMMANDS);
  const words: string[] = [...spec.path];
  for (let more = between(random, 0, 4); more > 0; more--) words.push(...someWords(spec, random));
  if (HARMFUL.has(spec.path.join(" "))) words.push(STOPPER);
  return words;
}

function someWords(spec: CommandSpec, random: Random): string[] {
  const choice = random();
  if (choice < 0.35) return [random() < 0.3 ? plain(random) : oneOf(random, GOOD_WORDS)];
  if (choice < 0.4) return [oneOf(random, ["--json", "--help", "--", "-q", "-", "--quiet"])];
  const options = [
    ...(spec.options ?? []).map(({ flags }) => flags),
    ...spec.settings.filter((name) => !KEPT_OUT.includes(name)).map((name) => `--${name} <x>`),
  ].filter((flags) => !NAMES_A_FILE.test(flags));
  if (options.length === 0) return [plain(random)];
  const flags = oneOf(random, options);
  const flag = /--[a-z-]+/.exec(flags)?.[0] ?? "-x";
  if (!flags.includes("<")) return [flag];
  const value = random() < 0.5 ? nastyText(random) : oneOf(random, GOOD_WORDS);
  return random() < 0.5 ? [`${flag}=${value}`] : [flag, value];
}

const GOOD_WORDS = ["default", "5", "0.5", "30s", "on", "job-1", "max-retries", "pending", "bash"];

/** Not an option by chance: those that choose files are left out. */
function plain(random: Random): string {
  return nastyText(random).replace(/^-+/, "");
}

/** What goes to a command that reads from stdin. */
export function stdin(random: Random): string {
  return Array.from({ length: between(random, 0, 3) }, () => nastyText(random)).join("\n");
}

/** A value for each of some settings. */
export function settingTexts(random: Random): Partial<Record<SettingName, string>> {
  const names = SETTING_NAMES.filter(() => random() < 0.03);
  const text = () => random() < 0.5 ? nastyText(random) : oneOf(random, GOOD_WORDS);
  return Object.fromEntries(names.map((name) => [name, text()]));
}
