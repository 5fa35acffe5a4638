/**
 * One round with one peer: its server, if it needs one, and the process that measures it, both
 * fresh and with fresh data.
 */
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import type { Peer } from "./catalogue.ts";
import type { Installer, NodeName } from "./install.ts";
import type { MeasureOptions, StepResult } from "./measure.ts";
import { type PeerServer, startBunqueue, startPostgres, startRedis } from "./peer_servers.ts";
import { ServerProcess } from "./server_process.ts";
import { TextLineStream } from "../text_lines.ts";

export interface Size {
  readonly addMs: number;
  /** Multiplies how many jobs are drained. */
  readonly share: number;
  readonly latencyJobs: number;
}

const MEASURE = fileURLToPath(new URL("./measure.ts", import.meta.url));
const CONFIG = fileURLToPath(new URL("../../../deno.json", import.meta.url));
const STEP_MARK = "peer-step ";

/** A round that takes longer is ended, and what it found by then counts. */
const ROUND_PATIENCE_MS = 90_000;

/** @throws {Error} saying why the peer cannot be installed or started. */
export async function runPeer(
  peer: Peer,
  { installer, directory, size }: { installer: Installer; directory: string; size: Size },
): Promise<StepResult[]> {
  const modules = await installModules(peer, installer);
  const words = await runtimeWords(peer, installer);
  const serverDirectory = join(directory, "server");
  await Deno.mkdir(serverDirectory);
  await using server = await startServer(peer, { installer, directory: serverDirectory });
  const options: MeasureOptions = {
    driver: new URL(`./drivers/${peer.driver}.ts`, import.meta.url).href,
    variant: peer.variant,
    modules,
    directory,
    port: server?.port ?? 0,
    serverPids: server === null ? [] : [server.pid],
    addMs: size.addMs,
    drainJobs: roundUp(peer.drainJobs * size.share),
    flowJobs: roundUp(peer.flowJobs * size.share),
    latencyJobs: size.latencyJobs,
  };
  return await measure(words, options);
}

async function installModules(
  { packages, compiled, runtime }: Peer,
  installer: Installer,
): Promise<string> {
  if (packages.length === 0) return "";
  if (compiled === undefined) return await installer.modules(packages);
  return await installer.compiledModules(packages, { compiled, node: runtime as NodeName });
}

async function measure(
  [program, ...args]: readonly string[],
  options: MeasureOptions,
): Promise<StepResult[]> {
  await using process = new ServerProcess(program!, {
    args: [...args, MEASURE, JSON.stringify(options)],
    cwd: options.directory,
    env: { NODE_ENV: "production", NO_COLOR: "1", DENO_NO_UPDATE_CHECK: "1" },
    stdout: "piped",
    stopSignal: "SIGKILL",
  });
  const timer = setTimeout(() => process.kill(), ROUND_PATIENCE_MS);
  const steps: StepResult[] = [];
  const lines = process.child.stdout.pipeThrough(new TextDecoderStream())
    .pipeThrough(new TextLineStream());
  for await (const line of lines) {
    if (line.startsWith(STEP_MARK)) steps.push(JSON.parse(line.slice(STEP_MARK.length)));
  }
  const { success, signal, code } = await process.child.status;
  clearTimeout(timer);
  if (success) return steps;
  const why = (await process.errors()).split("\n").find((line) => /error/i.test(line)) ??
    `it ended with ${signal ?? `code ${code}`}`;
  return [...steps, { step: "round", figures: {}, error: why.trim() }];
}

async function runtimeWords({ runtime }: Peer, installer: Installer): Promise<string[]> {
  switch (runtime) {
    case "deno":
      return [
        Deno.execPath(),
        ...["run", "--allow-all", "--quiet", "--no-check", "--config", CONFIG],
      ];
    case "node22":
    case "node24":
      return [
        await installer.node(runtime),
        "--disable-warning=MODULE_TYPELESS_PACKAGE_JSON",
        "--disable-warning=ExperimentalWarning",
      ];
    case "bun":
      return [await installer.bun(), "--no-install"];
  }
}

function startServer(
  { server, packages }: Peer,
  place: { installer: Installer; directory: string },
): Promise<PeerServer | null> {
  switch (server) {
    case null:
      return Promise.resolve(null);
    case "redis":
      return startRedis(place, { isFsynced: false });
    case "redis-aof":
      return startRedis(place, { isFsynced: true });
    case "postgres":
      return startPostgres(place);
    case "bunqueue":
      return startBunqueue(place, packages);
  }
}

/** To the next hundred: that many jobs are added in one call. */
function roundUp(count: number): number {
  return Math.ceil(count / 100) * 100;
}
