/**
 * Tests that would pass without what they protect prove nothing. So each protection is taken out of a
 * copy of the source, and the test or experiment that ought to notice is run on it: it must fail, and
 * it must pass on an untouched copy.
 */
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { type Experiment, type Figure, none, type ProveContext } from "../experiment.ts";
import { testedBackend, testServer } from "../../helpers/backend.ts";
import { type Catcher, type Removal, removalsWith } from "../removal.ts";

const ROOT = fileURLToPath(new URL("../../../", import.meta.url));
const COPIED = ["src", "tests", "deno.json", "deno.lock", "README.md"];

/** A protection whose absence makes its catcher hang is caught too. */
const CATCHER_LIMIT_MS = 300_000;

/** So many at a time of those that need little. */
const SIDE_BY_SIDE = 2;

interface Verdict {
  readonly passed: boolean;
  /** The tests that failed, or the experiment's figures. */
  readonly failures: readonly string[];
  readonly output: string;
}

export const removals: Experiment = {
  name: "removals",
  about: "safety code taken out, one piece at a time: each removal is caught by a test",
  limitMs: ({ pick }) => pick(90 * 60_000, 900_000),

  async run({ isQuick, seed, progress }: ProveContext): Promise<Figure[]> {
    const all = removalsWith(testedBackend());
    const chosen = all.filter(({ isCheap }) => !isQuick || isCheap);
    const dir = await Deno.makeTempDir({ prefix: "queuectl-removals-" });
    const whole = join(dir, "whole");
    await copyProject(whole);
    const missing = all.flatMap((removal) => findMissing(whole, removal));
    const control = controlsOf(chosen.map(({ caughtBy }) => caughtBy), { whole, seed });
    const uncaught: string[] = [];
    const failing: string[] = [];
    const figures: Figure[] = [];
    let begun = 0;
    const takeOne = async (removal: Removal): Promise<void> => {
      if (findMissing(whole, removal).length > 0) return;
      const { protection, caughtBy } = removal;
      const name = nameOf(caughtBy);
      const number = ++begun;
      progress(`${number} of ${chosen.length}: ${protection}`);
      const untouched = await control(caughtBy);
      if (!untouched.passed) {
        failing.push(`${name}: ${lastLines(untouched.output)}`);
        return;
      }
      const copy = join(dir, String(number));
      await copyProject(copy);
      takeOut(copy, removal);
      const verdict = await runCatcher(copy, caughtBy, seed);
      await Deno.remove(copy, { recursive: true });
      if (verdict.passed) uncaught.push(`${protection} (${name})`);
      figures.push({
        what: `without: ${protection}`,
        found: verdict.passed ? 0 : 1,
        note: verdict.passed ? "NOT CAUGHT" : `caught by ${verdict.failures[0] ?? name}`,
      });
    };
    // Experiments, and tests of whole programs, want the machine for themselves.
    const isQuiet = ({ caughtBy }: Removal) => "test" in caughtBy && !/system/.test(caughtBy.test);
    const side = chosen.filter(isQuiet).values();
    await Promise.all(Array.from({ length: SIDE_BY_SIDE }, async () => {
      for (const removal of side) await takeOne(removal);
    }));
    for (const removal of chosen) if (!isQuiet(removal)) await takeOne(removal);
    await Deno.remove(dir, { recursive: true });
    return [
      { what: "protections taken out", found: figures.length, wanted: { is: chosen.length } },
      ...figures,
      none("removals that nothing caught", uncaught),
      none("catchers that fail on the whole source too", [...new Set(failing)]),
      none("texts to take out that are not there any more", missing),
    ];
  },
};

async function copyProject(to: string): Promise<void> {
  await Deno.mkdir(to);
  const { success, stderr } = await new Deno.Command("cp", {
    args: ["-R", ...COPIED.map((name) => join(ROOT, name)), to],
  }).output();
  if (!success) throw new Error(new TextDecoder().decode(stderr));
}

/** What a row speaks of that the source does not say any more: a row that removes nothing. */
export function findMissing(root: string, { file, edits }: Removal): string[] {
  const source = Deno.readTextFileSync(join(root, file));
  return edits.filter(([text]) => !source.includes(text)).map(([text]) => `${file}: ${text}`);
}

function takeOut(root: string, { file, edits }: Removal): void {
  const path = join(root, file);
  let source = Deno.readTextFileSync(path);
  for (const [text, instead] of edits) source = source.replaceAll(text, () => instead);
  Deno.writeTextFileSync(path, source);
}

function nameOf(catcher: Catcher): string {
  return "experiment" in catcher
    ? `prove ${catcher.experiment}`
    : `${catcher.test}: ${catcher.named}`;
}

/** What catchers say of the untouched copy; those of one file are asked together. */
function controlsOf(
  catchers: readonly Catcher[],
  { whole, seed }: { whole: string; seed: number },
): (catcher: Catcher) => Promise<Verdict> {
  const verdicts = new Map<string, Promise<Verdict>>();
  const once = (name: string, run: () => Promise<Verdict>): Promise<Verdict> => {
    if (!verdicts.has(name)) verdicts.set(name, run());
    return verdicts.get(name)!;
  };
  return async (catcher) => {
    const alone = () => once(nameOf(catcher), () => runCatcher(whole, catcher, seed));
    if ("experiment" in catcher) return await alone();
    const names = catchers.flatMap((other) =>
      "test" in other && other.test === catcher.test ? [other.named] : []
    );
    const pattern = [...new Set(names)].map((name) => name.replace(/[^\w ]/g, ".")).join("|");
    const together = { test: catcher.test, named: `/${pattern}/` };
    const verdict = await once(catcher.test, () => runCatcher(whole, together, seed));
    return verdict.passed ? verdict : await alone();
  };
}

/** Runs it in a copy of the project, which then is the program under test. */
async function runCatcher(root: string, catcher: Catcher, seed: number): Promise<Verdict> {
  const config = ["--config", join(root, "deno.json")];
  const args = "experiment" in catcher
    ? [
      ...["run", "--allow-all", "--no-check", ...config, join(root, "tests/prove/main.ts")],
      ...[catcher.experiment, "--quick", "--seed", String(seed), "--store", testedBackend()],
    ]
    : [
      ...["test", "--allow-all", "--no-check", ...config],
      ...["--filter", catcher.named, join(root, catcher.test)],
    ];
  const child = new Deno.Command(Deno.execPath(), {
    args,
    cwd: root,
    env: {
      NO_COLOR: "1",
      ...(testedBackend() === "postgres" ? { QUEUECTL_TEST_POSTGRES: testServer().url } : {}),
    },
    stdin: "null",
    stdout: "piped",
    stderr: "piped",
  }).spawn();
  const timer = setTimeout(() => child.kill("SIGTERM"), CATCHER_LIMIT_MS);
  const { success, stdout, stderr } = await child.output();
  clearTimeout(timer);
  const output = new TextDecoder().decode(stdout) + new TextDecoder().decode(stderr);
  const ran = "experiment" in catcher ? true : !/ 0 passed .* 0 failed/.test(output);
  return { passed: success && ran, failures: failuresIn(output), output };
}

/** `name ... FAILED` of a test, `FAIL figure` of an experiment. */
function failuresIn(output: string): string[] {
  return output.split("\n").flatMap((line) => {
    const found = /^(.+?) \.\.\. .*FAILED/.exec(line) ?? /^\s+FAIL (.+?)\s{2,}/.exec(line);
    return found === null ? [] : [found[1]!];
  });
}

function lastLines(output: string): string {
  return output.trimEnd().split("\n").slice(-5).join(" / ");
}
