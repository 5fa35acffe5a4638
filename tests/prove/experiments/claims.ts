/**
 * Many processes claim from one database and end their leases well, badly, late or not at all. Every
 * lease is written down by the one who got it; afterwards the records are held against each other.
 */
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { eventually } from "../../helpers/eventually.ts";
import { newJobs } from "../../helpers/jobs.ts";
import { tempStore } from "../../helpers/temp_store.ts";
import { allJobs } from "../books.ts";
import type { LeaseRecord } from "../claimer.ts";
import { type Experiment, type Figure, none, type ProveContext } from "../experiment.ts";

const MAX_RETRIES = 1_000;

export const claims: Experiment = {
  name: "claims",
  about: "many processes claim at once: tokens rise, no two live leases of a job, none is lost",
  limitMs: ({ pick }) => pick(30 * 60_000, 400_000),

  async run({ pick, seed, progress }: ProveContext): Promise<Figure[]> {
    const [processes, jobCount] = pick([8, 50_000], [4, 4_000]);
    await using temp = await tempStore();
    for (let added = 0; added < jobCount; added += 1_000) {
      const jobs = newJobs(Math.min(1_000, jobCount - added), { maxRetries: MAX_RETRIES });
      await temp.store.add(jobs.map((job) => ({ ...job, runAtMs: Date.now() })), Date.now());
    }
    progress(`${jobCount} jobs are there; ${processes} processes begin`);
    const startedMs = performance.now();
    const running = Array.from(
      { length: processes },
      (_, index) => runClaimer(temp, index, seed + index),
    );
    await Promise.race([Promise.all(running), letGo(temp.dir, processes)]);
    const files = await Promise.all(running);
    const seconds = (performance.now() - startedMs) / 1_000;
    const records = files.flatMap(readRecords);

    const jobs = await allJobs(temp.store);
    const { counts } = await temp.store.stats(Date.now());
    const completed = records.filter(({ end, answer }) =>
      end === "succeeded" && answer === "settled"
    );
    const twice = completed.length - new Set(completed.map(({ id }) => id)).size;
    const idle = files.filter((path) => readRecords(path).length === 0);
    return [
      { what: "processes", found: processes, note: `in ${seconds.toFixed(0)} s` },
      { what: "leases", found: records.length, wanted: { atLeast: jobCount } },
      {
        what: "of them lost before their end",
        found: records.filter(({ answer }) => answer === "lease-lost").length,
        wanted: { atLeast: 1 },
      },
      { what: "jobs at the end", found: jobs.length, wanted: { is: jobCount } },
      { what: "of them completed", found: counts.completed, wanted: { is: jobCount } },
      { what: "successes recorded", found: completed.length, wanted: { is: jobCount } },
      { what: "of them for a job that had one", found: twice, wanted: { is: 0 } },
      none("tokens that did not rise", findRepeatedTokens(records)),
      none("live leases that overlap", findOverlaps(records)),
      none("processes that got no job", idle),
    ];
  },
};

/** Lets the processes begin when all are there, so that none finds nothing left to do. */
async function letGo(dir: string, processes: number): Promise<void> {
  const areThere = () =>
    [...Deno.readDirSync(dir)].filter(({ name }) => name.startsWith("leases-")).length;
  await eventually(() => areThere() === processes, {
    what: "all processes were there",
    timeoutMs: 120_000,
  });
  Deno.writeTextFileSync(join(dir, "go"), "");
}

/** Runs one process to its end; returns the file with its records. */
async function runClaimer(
  { dir, path }: { dir: string; path: string },
  index: number,
  seed: number,
): Promise<string> {
  const file = join(dir, `leases-${index}`);
  const script = fileURLToPath(new URL("../claimer.ts", import.meta.url));
  const config = fileURLToPath(new URL("../../../deno.json", import.meta.url));
  const { success, stderr } = await new Deno.Command(Deno.execPath(), {
    args: [
      ...["run", "--allow-all", "--quiet", "--no-check", "--config", config, script],
      ...[path, `holder-${index}`, String(seed), file],
    ],
    stdin: "null",
    stdout: "null",
  }).output();
  if (!success) throw new Error(`a claimer failed: ${new TextDecoder().decode(stderr)}`);
  return file;
}

function readRecords(path: string): LeaseRecord[] {
  const lines = Deno.readTextFileSync(path).split("\n").filter((line) => line !== "");
  return lines.map((line) => JSON.parse(line));
}

/** A token names one lease of its job, and that of a later lease is higher. */
function findRepeatedTokens(records: readonly LeaseRecord[]): string[] {
  const bad: string[] = [];
  for (const [id, leases] of byJob(records)) {
    const inTime = [...leases].sort((one, other) =>
      one.claimedAtMs - other.claimedAtMs || one.token - other.token
    );
    for (let index = 1; index < inTime.length; index++) {
      const [one, next] = [inTime[index - 1]!, inTime[index]!];
      if (one.token >= next.token) bad.push(`${id}: ${one.token} before ${next.token}`);
    }
  }
  return bad;
}

/**
 * A lease lives until its holder's end of it was accepted, or else until it expires. The next one
 * must not have been given out before, and an end that comes later must not have been accepted.
 */
function findOverlaps(records: readonly LeaseRecord[]): string[] {
  const bad: string[] = [];
  for (const [id, leases] of byJob(records)) {
    const byToken = [...leases].sort((one, other) => one.token - other.token);
    for (let index = 1; index < byToken.length; index++) {
      const [one, next] = [byToken[index - 1]!, byToken[index]!];
      const livedUntilMs = one.answer === "settled" ? one.endedAtMs! : one.expiresAtMs;
      if (next.claimedAtMs < livedUntilMs) {
        bad.push(`${id}: token ${one.token} lived until ${livedUntilMs}, next ${next.claimedAtMs}`);
      }
    }
  }
  return bad;
}

function byJob(records: readonly LeaseRecord[]): Map<string, LeaseRecord[]> {
  const found = new Map<string, LeaseRecord[]>();
  for (const record of records) {
    const leases = found.get(record.id);
    if (leases === undefined) found.set(record.id, [record]);
    else leases.push(record);
  }
  return found;
}
