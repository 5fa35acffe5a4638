/** The result for people: Markdown. Pure. */
import { median } from "../numbers.ts";
import type { Machine } from "../machine.ts";
import type { Peer } from "./catalogue.ts";
import type { StepResult } from "./measure.ts";
import type { Service, ServiceFigures } from "./services.ts";

/** The rounds of one peer, and why there are not more of them. */
export interface PeerResult {
  readonly peer: Peer;
  readonly rounds: readonly (readonly StepResult[])[];
  readonly errors: readonly string[];
}

export interface ServiceResult {
  readonly service: Service;
  readonly rounds: readonly ServiceFigures[];
  readonly errors: readonly string[];
}

interface Column {
  readonly title: string;
  readonly step: string;
  readonly figure: string;
  readonly better: "higher" | "lower";
  /**
   * queuectl's library shall be at least this many times as good as the best peer; on PostgreSQL, where
   * the server's work is alike for all, at least as good.
   */
  readonly wanted: number;
}

const COLUMNS: readonly Column[] = [
  { title: "add one by one", step: "one", figure: "perSecond", better: "higher", wanted: 1 },
  { title: "64 in flight", step: "concurrent", figure: "perSecond", better: "higher", wanted: 1 },
  { title: "bulk by 100", step: "bulk", figure: "perSecond", better: "higher", wanted: 1 },
  { title: "drain", step: "drain", figure: "perSecond", better: "higher", wanted: 3.5 },
  { title: "add and drain", step: "flow", figure: "perSecond", better: "higher", wanted: 4 },
  { title: "idle p50 ms", step: "latency", figure: "p50Ms", better: "lower", wanted: 1 },
  { title: "idle p99 ms", step: "latency", figure: "p99Ms", better: "lower", wanted: 1 },
  { title: "memory MB", step: "memory", figure: "megabytes", better: "lower", wanted: 1 },
];

/** Processor time tells more than the clock where other programs want the processor, too. */
const CPU_COLUMNS: readonly Column[] = COLUMNS.filter(({ better }) => better === "higher")
  .map((column) => ({ ...column, figure: "cpuUs", better: "lower" }));

export function formatReport(
  { machine, versions, rounds, fsyncs, peers, services }: {
    machine: Machine;
    versions: Readonly<Record<string, string>>;
    rounds: number;
    /** How fast the disk was before each measurement. */
    fsyncs: readonly number[];
    peers: readonly PeerResult[];
    services: readonly ServiceResult[];
  },
): string {
  const { date, cpu, cores, os, deno, sqlite } = machine;
  const others = Object.entries(versions).map(([name, version]) => `${name} ${version}`);
  const parts = [
    `${date.slice(0, 10)}, ${cpu}, ${cores} cores, ${os}. ` +
    `${rounds === 1 ? "One round" : `Medians of ${rounds} rounds`}, peers in turn, same disk. ` +
    [`Deno ${deno}`, `SQLite ${sqlite}`, ...others].join(", ") + ".",
  ];
  if (peers.length > 0) {
    parts.push(
      `Before the measurements the disk did ${format(median(fsyncs))} fsyncs a second in the ` +
        `median (${format(Math.min(...fsyncs))} to ${format(Math.max(...fsyncs))}); the further ` +
        "apart, the less the figures say.",
      "Jobs a second, 100 bytes, handlers that do nothing; idle latency from submit to start; " +
        "memory with the server, after 500 jobs. – : the peer has no such call.",
      peerTable(peers),
      ...comparisons(peers),
      "Processor time of a job in µs, of all processes, the server's included; less disturbed than " +
        "figures by the clock where other programs run on the machine.",
      cpuTable(peers),
    );
  }
  if (services.length > 0) {
    parts.push("HTTP services, uploads of 100 bytes over 64 connections:", serviceTable(services));
  }
  if (peers.length > 0) parts.push("How each peer was used:\n\n" + settingsList(peers));
  return parts.join("\n\n");
}

function peerTable(peers: readonly PeerResult[]): string {
  const rows = peers.map((result) => {
    if (result.rounds.length === 0) {
      return [result.peer.name, `**NOT RUN: ${result.errors[0]}**`, ...COLUMNS.map(() => "")];
    }
    const cells = COLUMNS.map((column) => {
      const value = figureOf(result, column);
      if (value !== null) return format(value);
      return errorsOf(result, column.step).length === 0 ? "–" : "**failed**";
    });
    const { survives, how } = result.peer.durability;
    return [result.peer.name, ...cells, `${survives}: ${how}`];
  });
  const failures = peers.flatMap((result) => {
    const steps = errorsOf(result).map(({ step, error }) => `${step} failed: ${error}`);
    const rounds = result.errors.map((error) => `a round failed: ${error}`);
    return [...new Set([...steps, ...rounds])].map((what) => `- **${result.peer.name}**, ${what}`);
  });
  const head = ["peer", ...COLUMNS.map(({ title }) => title), "acknowledged jobs survive"];
  return [markdown(head, rows), ...failures.length > 0 ? [failures.join("\n")] : []].join("\n\n");
}

function cpuTable(peers: readonly PeerResult[]): string {
  const rows = peers.filter(({ rounds }) => rounds.length > 0).map((result) => [
    result.peer.name,
    ...CPU_COLUMNS.map((column) => {
      const value = figureOf(result, column);
      return value === null ? "–" : format(value);
    }),
  ]);
  return markdown(["peer", ...CPU_COLUMNS.map(({ title }) => title)], rows);
}

interface Found {
  readonly peer: Peer;
  readonly value: number;
  /** How many times as good as this peer queuectl's library is. */
  readonly times: number;
}

/** Ours beside all others, and ours on PostgreSQL beside the others that stand on it. */
function comparisons(peers: readonly PeerResult[]): string[] {
  const isOurs = ({ peer }: PeerResult) => peer.group === "queuectl";
  const onPostgres = ({ peer }: PeerResult) => peer.server === "postgres";
  const others = peers.filter((result) => !isOurs(result));
  const [ours] = peers.filter(isOurs);
  const ownOnPostgres = peers.find((result) => isOurs(result) && onPostgres(result));
  return [
    ours === undefined ? "" : comparison(ours, others, COLUMNS),
    ownOnPostgres === undefined ? "" : comparison(
      ownOnPostgres,
      others.filter(onPostgres),
      COLUMNS.map((column) => ({ ...column, wanted: 1 })),
    ),
  ].filter((text) => text !== "");
}

/** How one of ours stands against the best of the others in each column. */
function comparison(
  ours: PeerResult,
  others: readonly PeerResult[],
  columns: readonly Column[],
): string {
  const behind: string[] = [];
  const behindTheSafe: string[] = [];
  const rows = columns.flatMap((column) => {
    const own = figureOf(ours, column);
    if (own === null) return [];
    const found = others.flatMap((result): Found[] => {
      const value = figureOf(result, column);
      if (value === null) return [];
      return [{
        peer: result.peer,
        value,
        times: column.better === "higher" ? own / value : value / own,
      }];
    }).sort((one, other) => one.times - other.times);
    if (found.length === 0) return [];
    for (const { peer, value, times } of found.filter(({ times }) => times < 1)) {
      const isSafe = peer.durability.survives === ours.peer.durability.survives;
      const what = `${column.title}, ${format(own)} against ${format(value)} of ${peer.name}: ` +
        `${times.toFixed(2)} times as good; its acknowledged jobs survive ` +
        `${peer.durability.survives}`;
      behind.push(`- ${what}.`);
      if (isSafe) behindTheSafe.push(`${column.title} (${peer.name})`);
    }
    const best = found[0]!;
    const safe = found.find(({ peer }) => peer.durability.survives === "power loss");
    return [[
      column.title,
      format(own),
      `${format(best.value)} (${best.peer.name})`,
      best.times.toFixed(2),
      column.wanted.toFixed(1),
      best.times >= column.wanted ? "yes" : "**NO**",
      safe === undefined ? "–" : `${safe.times.toFixed(2)} (${safe.peer.name})`,
    ]];
  });
  const head = [
    ...["column", ours.peer.name, "best peer", "times as good", "wanted", "met"],
    "times as good as the best that survives power loss too",
  ];
  const missing = others.filter((result) => result.errors.length > 0 || errorsOf(result).length > 0)
    .map(({ peer }) => peer.name);
  const without = missing.length === 0
    ? []
    : [`**Not compared, or not in every column, because it failed: ${missing.join("; ")}.**`];
  if (rows.length === 0) {
    return [`**Nothing to compare ${ours.peer.name} with.**`, ...without].join("\n\n");
  }
  const verdict = behind.length === 0
    ? `**${ours.peer.name}: ahead of every peer in every column.**`
    : `**${ours.peer.name}: not ahead in every column:**\n\n${behind.join("\n")}`;
  const safely = behindTheSafe.length === 0
    ? "Ahead in every column of every peer that is as durable."
    : `Behind peers that are as durable in: ${behindTheSafe.join(", ")}.`;
  return [markdown(head, rows), verdict, safely, ...without].join("\n\n");
}

function serviceTable(results: readonly ServiceResult[]): string {
  const rows = results.map(({ service, rounds, errors }) => {
    if (rounds.length === 0) return [service.name, `**NOT RUN: ${errors[0]}**`, "", "", "", ""];
    const middle = (name: keyof ServiceFigures) =>
      format(median(rounds.map((figures) => figures[name]!)));
    return [
      service.name,
      middle("submitsPerSecond"),
      middle("p50Ms"),
      middle("p99Ms"),
      middle("endToEndPerSecond"),
      [service.settings, ...errors.map((error) => `**a round failed: ${error}**`)].join("; "),
    ];
  });
  const head = [
    "service",
    "submits/s",
    "p50 ms",
    "p99 ms",
    "submitted, run and read/s",
    "settings",
  ];
  return markdown(head, rows);
}

function settingsList(peers: readonly PeerResult[]): string {
  return peers.map(({ peer: { name, runtime, settings, packages } }) => {
    const what = packages.length === 0 ? "" : `, ${packages.join(", ")}`;
    return `- ${name} (${runtime}${what}): ${settings}.`;
  }).join("\n");
}

/** The median over the rounds; null where no round has the figure. */
function figureOf({ rounds }: PeerResult, { step, figure }: Column): number | null {
  const values = rounds.flatMap((steps) => {
    const value = steps.find((one) => one.step === step)?.figures[figure];
    return value === undefined ? [] : [value];
  });
  return values.length === 0 ? null : median(values);
}

/** Why a step, or the round before it came to the step, failed; without a step, any of them. */
function errorsOf({ rounds }: PeerResult, step?: string): readonly StepResult[] {
  return rounds.flat().filter((one) =>
    one.error !== undefined && (step === undefined || [step, "round"].includes(one.step))
  );
}

function markdown(head: readonly string[], rows: readonly (readonly string[])[]): string {
  const line = (cells: readonly string[]) => `| ${cells.join(" | ")} |`;
  return [line(head), line(head.map(() => "---")), ...rows.map(line)].join("\n");
}

/** Three digits that count. */
function format(value: number): string {
  if (value >= 100) return Math.round(Number(value.toPrecision(3))).toLocaleString("en");
  return value.toFixed(value >= 10 ? 1 : 2);
}
