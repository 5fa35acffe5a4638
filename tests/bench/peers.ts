/**
 * `deno task bench:peers [PEER...]`: other job queues and queuectl on the same disk in the same
 * run, and one Markdown table. A peer that cannot be installed or started is named in the table
 * with the reason. Never fails because something is slow.
 */
import { tmpdir } from "node:os";
import { resolve } from "node:path";
import { messageOf } from "../../src/lib/error_message.ts";
import { onInterrupt, readOptions, runTool, UsageError } from "../helpers/tool.ts";
import { killChildren } from "./child.ts";
import { describeMachine } from "./machine.ts";
import { FASTAPI_GROUP, PEERS } from "./peers/catalogue.ts";
import { fsyncsPerSecond } from "./peers/disk.ts";
import { Installer } from "./peers/install.ts";
import type { StepResult } from "./peers/measure.ts";
import { formatReport, type PeerResult, type ServiceResult } from "./peers/report.ts";
import { runPeer, type Size } from "./peers/run_peer.ts";
import { killServers } from "./peers/server_process.ts";
import { findVersions } from "./peers/versions.ts";
import { measureService, type ServiceFigures, services } from "./peers/services.ts";
import { Scratch } from "./scratch.ts";

const GROUPS = [...new Set(PEERS.map(({ group }) => group)), FASTAPI_GROUP];

const USAGE = `usage: deno task bench:peers [PEER...] [options]

Peers (all of them unless some are named): ${GROUPS.join(", ")}

Options:
  --quick         one short round instead of three: shows that it works, proves little
  --rounds N      how often each peer is measured, in turn
  --scratch DIR   where peers are installed, kept for the next run; databases go there too
                  (default: a new temporary directory, removed at the end)
  --help          this text

Needs Linux and npm; for liteque a C++ compiler and make; for BullMQ, those on PostgreSQL and
FastAPI Debian's apt-get. Packages are unpacked into the scratch directory; nothing is installed on
the machine.`;

interface Options {
  readonly groups: readonly string[];
  readonly rounds: number;
  readonly size: Size;
  readonly scratch?: string;
}

const FULL: Size = { addMs: 800, share: 0.9, latencyJobs: 120 };
const QUICK: Size = { addMs: 500, share: 0.3, latencyJobs: 50 };

async function main(args: string[]): Promise<number> {
  const options = parseOptions(args);
  if (options === null) {
    console.log(USAGE);
    return 0;
  }
  const installed = options.scratch ??
    await Deno.makeTempDir({ prefix: "queuectl-peers-", dir: tmpdir() });
  await Deno.mkdir(installed, { recursive: true });
  if (options.scratch === undefined) {
    temporary.push(installed);
    // Servers that refuse to run as root must be able to reach their data in here.
    await Deno.chmod(installed, 0o755);
  }
  try {
    await using scratch = await Scratch.create(await Deno.realPath(installed));
    temporary.unshift(scratch.path);
    await Deno.chmod(scratch.path, 0o755);
    const installer = new Installer(await Deno.realPath(installed));
    const { peers, services, fsyncs } = await measureAll(options, { scratch, installer });
    const versions = await findVersions(installer, {
      peers: peers.map(({ peer }) => peer),
      withFastApi: options.groups.includes(FASTAPI_GROUP),
    });
    const { rounds } = options;
    const machine = describeMachine();
    console.log(formatReport({ machine, versions, rounds, fsyncs, peers, services }));
    return 0;
  } finally {
    if (options.scratch === undefined) await Deno.remove(installed, { recursive: true });
  }
}

/** Directories that are to go away with the run. */
const temporary: string[] = [];

async function measureAll(
  { groups, rounds, size }: Options,
  { scratch, installer }: { scratch: Scratch; installer: Installer },
): Promise<{ peers: PeerResult[]; services: ServiceResult[]; fsyncs: number[] }> {
  const fsyncs: number[] = [];
  const peers = PEERS.filter(({ group }) => groups.includes(group))
    .map((peer) => ({ peer, rounds: [] as StepResult[][], errors: [] as string[] }));
  const asked = services(installer).filter(({ group }) => groups.includes(group))
    .map((service) => ({ service, rounds: [] as ServiceFigures[], errors: [] as string[] }));
  for (let round = 1; round <= rounds; round++) {
    for (const result of peers) {
      await attempt(result, `round ${round}, ${result.peer.name}`, async () => {
        await using directory = scratch.directory();
        await Deno.chmod(directory.path, 0o755);
        fsyncs.push(fsyncsPerSecond(directory.path));
        return await runPeer(result.peer, { installer, directory: directory.path, size });
      });
    }
    for (const result of asked) {
      await attempt(
        result,
        `round ${round}, ${result.service.name}`,
        () =>
          measureService(result.service, {
            directories: () => scratch.directory(),
            measureMs: size.addMs * 2,
            share: size.share,
          }),
      );
    }
  }
  return { peers, services: asked, fsyncs };
}

/** Adds a round to the result, or says in it why there is none. */
async function attempt<T>(
  result: { rounds: T[]; errors: string[] },
  name: string,
  measure: () => Promise<T>,
): Promise<void> {
  const startedMs = performance.now();
  try {
    result.rounds.push(await measure());
    console.error(`${name}: ${((performance.now() - startedMs) / 1_000).toFixed(1)} s`);
  } catch (error) {
    const message = messageOf(error);
    console.error(`${name}: FAILED: ${message}`);
    result.errors.push(firstLines(message));
  }
}

function firstLines(message: string): string {
  return message.trim().split("\n").slice(0, 3).join(" ").replaceAll("|", "\\|");
}

/** Null: help was asked for. */
function parseOptions(args: string[]): Options | null {
  const { values, positionals } = readOptions(args, {
    quick: { type: "boolean", default: false },
    help: { type: "boolean", default: false },
    rounds: { type: "string" },
    scratch: { type: "string" },
  });
  if (values.help) return null;
  for (const name of positionals) {
    if (GROUPS.includes(name)) continue;
    throw new UsageError(
      `there is no peer ${JSON.stringify(name)}; expected one of ${GROUPS.join(", ")}`,
    );
  }
  const rounds = values.rounds ?? (values.quick ? "1" : "3");
  if (!/^[1-9]\d?$/.test(rounds)) {
    throw new UsageError(`--rounds: expected a number from 1 to 99, got ${JSON.stringify(rounds)}`);
  }
  return {
    // Without ours beside it, a peer's figures would say little.
    groups: positionals.length > 0 ? ["queuectl", ...positionals] : GROUPS,
    rounds: Number(rounds),
    size: values.quick ? QUICK : FULL,
    scratch: values.scratch === undefined ? undefined : resolve(values.scratch),
  };
}

if (import.meta.main) {
  onInterrupt(() => {
    killServers();
    killChildren();
    for (const path of temporary) {
      try {
        Deno.removeSync(path, { recursive: true });
      } catch {
        // What has just been killed may still write into it.
      }
    }
    Deno.exit(130);
  });
  await runTool(main, USAGE);
}
