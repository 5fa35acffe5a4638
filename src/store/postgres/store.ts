/**
 * The store on PostgreSQL: one connection that writes, a few that read, one that listens. Only puts the
 * operations together; each has its own file. What they do is what those of `store/sqlite/` do, on a
 * server that any number of processes share.
 */
import { setImmediate } from "node:timers";
import { StoreUnavailableError } from "../../job/errors.ts";
import type { Job } from "../../job/job.ts";
import type { OpenOptions } from "../open.ts";
import { describeChange } from "../shared/rules.ts";
import { refuseMarked } from "../shared/transfer_mark.ts";
import type { AuditAction, JobStore, Signature } from "../store.ts";
import { Adding } from "./add.ts";
import { alertNames, changeAlert } from "./alerts.ts";
import { readAudit, record, recordBulk, recordChanges } from "./audit.ts";
import {
  cancelJobs,
  countUnrequeueable,
  purgeDead,
  removeJobs,
  requeueDead,
  requeueJobs,
  type Wish,
} from "./change.ts";
import { Claims, isLong } from "./claim.ts";
import { configAll, configSet, configUnset } from "./config.ts";
import type { Session, Sql } from "./connection.ts";
import * as deliveries from "./deliveries.ts";
import { resumeEnds } from "./ends.ts";
import * as files from "./files.ts";
import { fold } from "./fold.ts";
import { gathered } from "./gathered.ts";
import { journalPage } from "./journal.ts";
import { changeRules } from "./limits.ts";
import { readMark } from "./transfer_mark.ts";
import { addMetrics, allMetrics } from "./metrics.ts";
import { enterTables, type Place } from "./migrate.ts";
import { progressOf, saveProgress } from "./progress.ts";
import { isPruneTurn, pruneStep, storeSize, takePruneTurn } from "./prune.ts";
import * as read from "./read.ts";
import { Reader } from "./reader.ts";
import { reap } from "./reap.ts";
import { rebase } from "./rebase.ts";
import { sweepRequests } from "./requests.ts";
import * as schedules from "./schedules.ts";
import { searchSlice } from "./search.ts";
import { Server } from "./server.ts";
import * as attempts from "./settle.ts";
import { standing } from "./standing.ts";
import { history, stats } from "./stats.ts";
import * as tokens from "./tokens.ts";
import { ChangeWatch } from "./watch.ts";
import { allKinds, allWorkers, removeWorkers, saveKinds, saveWorkers } from "./workers.ts";
import { type PostgresOrder, Writer } from "./writer.ts";

/** How long claims stay with the other commits after one that went beside them has failed. */
const NOT_BESIDE_MS = 60_000;

/** How long a search looks before it comes back with what it has. */
const SEARCH_PATIENCE_MS = 2_000;

/** Once in so many reaps, which come every few seconds. */
const FOLD_EVERY_REAPS = 12;

/** How long the end of a store goes on telling jobs of the end of others. */
const CLOSING_MS = 500;

/** A channel of NOTIFY for each schema. */
const channelOf = ({ schema }: Place) => `"queuectl_${schema.replaceAll('"', "").slice(0, 40)}"`;

export async function openPostgresStore(options: OpenOptions): Promise<JobStore> {
  const server = new Server(options.db);
  const session = await server.open();
  try {
    const place = await enterTables(session, server, async (one) => {
      refuseMarked(await readMark(one), server.shown);
    });
    return assemble(session, { place, server });
  } catch (error) {
    await session.close();
    throw server.told(error);
  }
}

function assemble(
  session: Session,
  { place, server }: { place: Place; server: Server },
): JobStore {
  const ownName = crypto.randomUUID();
  const channel = channelOf(place);
  const writer = new Writer(session, {
    ...{ server, place, name: ownName },
    announcement: `NOTIFY ${channel}, '${ownName}'`,
  });
  const reader = new Reader(server);
  const changes = new ChangeWatch(server, channel, ownName);
  const adding = new Adding(place);
  const claims = new Claims();
  writer.onWake = () => changes.tell();
  // Should it fail, or be too much for a process that ends, the next reap goes on.
  writer.onUnfinished = () => {
    if (closingSinceMs !== null && performance.now() - closingSinceMs > CLOSING_MS) return;
    write(resumeEnds).catch(() => {});
  };
  let reaps = 0;
  /** Whether claims go beside other commits, because the last one has left due jobs behind. */
  let beside: PostgresOrder["beside"];
  let besideFromMs = 0;
  const ownListeners = new Set<() => void>();
  writer.onTold = () => ownListeners.forEach((listener) => listener());
  let isClosed = false;
  let closingSinceMs: number | null = null;
  let closing: Promise<void> | null = null;

  const closed = () =>
    Promise.reject(new StoreUnavailableError(`the database ${server.shown} is closed`));
  const write: Writer["write"] = (work, order) => isClosed ? closed() : writer.write(work, order);
  const reading = <T>(work: (sql: Sql) => Promise<T>): Promise<T> =>
    isClosed ? closed() : work(reader);
  const quiet = { isQuiet: true };
  const change = (action: AuditAction, make: typeof cancelJobs) =>
    gathered((wishes: readonly (Wish & { readonly signed: Signature | undefined })[]) =>
      write(async (transaction) => {
        const changes = await make(wishes, transaction);
        await recordChanges(action, wishes, changes, transaction);
        return changes;
      })
    );
  const cancels = change("cancel", cancelJobs);
  const requeues = change("requeue", requeueJobs);
  const removals = change("delete", removeJobs);

  return {
    clock: server.clock.now,
    add: (jobs, nowMs, { mostWaiting, request } = { mostWaiting: null }) =>
      write((transaction) =>
        request == null
          ? adding.add(jobs, { nowMs, mostWaiting }, transaction)
          : adding.addOnce(jobs, { nowMs, mostWaiting, request }, transaction)
      ),
    claim: async (request) => {
      let isBeside = false;
      const order = { ...quiet, isLast: true, beside };
      beside = undefined; // but for what this claim finds
      const claim = await write((transaction) => {
        isBeside = writer.isAnyBeside;
        return claims.claim(request(), transaction);
      }, order).catch((error) => {
        // The second connection may be what cannot be had: a backlog is not to wait for it.
        if (order.beside !== undefined) besideFromMs = performance.now() + NOT_BESIDE_MS;
        throw error;
      });
      if (claim.isMoreDue && performance.now() >= besideFromMs) {
        beside = isLong(claim) ? "always" : "meanwhile";
      }
      // At the end of a backlog the next one looks in order, and sees what this one may have missed.
      return isBeside ? { ...claim, isMoreDue: true } : claim;
    },
    begin: (leases, holder, nowMs) =>
      write((transaction) => attempts.begin(leases, { holder, nowMs }, transaction), {
        isLazy: true,
      }),
    settle: (ended, holder, nowMs) =>
      write((transaction) => attempts.settle(ended, { holder, nowMs, adding }, transaction)),
    renew: (leases, holder, { expiresAtMs }) =>
      write((transaction) => attempts.renew(leases, holder, expiresAtMs, transaction), quiet),
    appendOutput: (lease, holder, chunks) =>
      write((transaction) => attempts.appendOutput(lease, holder, chunks, transaction)),
    saveProgress: (lease, holder, said) =>
      write((transaction) => saveProgress(lease, holder, said, transaction)),
    progress: (lease) => reading((sql) => progressOf(lease, sql)),
    reap: (request) =>
      write(async (transaction) => {
        // What has to be done now and then, and costs little when there is nothing to do.
        await sweepRequests(request.nowMs, transaction);
        await resumeEnds(transaction);
        // Processes that live too briefly to fold what they add, such as commands, leave it to others.
        if (reaps++ % FOLD_EVERY_REAPS === 0) await fold(transaction, place, request.nowMs);
        return await reap(request, transaction);
      }, quiet),
    rebase: (nowMs) => write((transaction) => rebase(nowMs, transaction)),

    cancel: (id, nowMs, signed) => cancels({ id, nowMs, signed }),
    requeue: (id, nowMs, signed, edit) => requeues({ id, nowMs, signed, edit }),
    remove: (id, nowMs, signed) => removals({ id, nowMs, signed }),
    requeueDead: (nowMs, limit, signed) =>
      write(async (transaction) => {
        const jobs = await requeueDead(nowMs, limit, transaction);
        return await recordBulk("dlq.retry", jobs, signed, transaction);
      }),
    purgeDead: (limit, signed) =>
      write(async (transaction) => {
        const jobs = await purgeDead(limit, transaction);
        return await recordBulk("dlq.purge", jobs, signed, transaction);
      }),

    find: (id) => reading((sql) => read.find(id, sql)),
    payload: (seq) => reading((sql) => read.payloadOf(seq, sql)),
    list: (query) => reading((sql) => read.list(query, sql)),
    async search({ patienceMs = SEARCH_PATIENCE_MS, ...query }) {
      const deadlineMs = performance.now() + patienceMs;
      const jobs: Job[] = [];
      let beforeSeq = query.beforeSeq;
      while (true) {
        const limit = query.limit - jobs.length;
        const slice = { ...query, limit, beforeSeq };
        const { page, nextSeq } = await reading((sql) => searchSlice(slice, sql));
        jobs.push(...page.jobs);
        if (nextSeq === null || jobs.length >= query.limit || performance.now() > deadlineMs) {
          return { jobs, nextSeq };
        }
        beforeSeq = nextSeq;
        await new Promise((resolve) => setImmediate(resolve)); // others first
      }
    },
    attempts: (seq) => reading((sql) => read.attemptsOf(seq, sql)),
    output: (query) => reading((sql) => read.outputOf(query, sql)),
    countUnrequeueable: () => reading((sql) => countUnrequeueable(sql)),
    dependencies: (seq) => reading((sql) => read.dependenciesOf(seq, sql)),
    cancelRequests: (holder) => reading((sql) => read.cancelRequests(holder, sql)),
    stats: (nowMs) => reading((sql) => stats(nowMs, sql)),
    standing: (query) => reading((sql) => standing(query, sql)),
    history: (query) => reading((sql) => history(query, sql)),

    beginFile: (file, nowMs) =>
      write((transaction) => files.beginFile(file, nowMs, transaction), quiet),
    appendFile: (piece, nowMs) =>
      write((transaction) => files.appendFile(piece, nowMs, transaction), quiet),
    giveUpFile: (file) => write((transaction) => files.giveUpFile(file, transaction), quiet),
    files: (seq) => reading((sql) => files.filesOf(seq, sql)),
    filePiece: (file, n) => reading((sql) => files.filePiece(file, n, sql)),
    sweepFiles: (idleSinceMs) =>
      write((transaction) => files.sweepFiles(idleSinceMs, transaction), quiet),

    changeQueue: (queue, change, nowMs, signed) =>
      write(async (transaction) => {
        const rules = await changeRules(queue, change, nowMs, transaction);
        await record({ ...describeChange(change), target: queue }, signed, transaction);
        transaction.wake(); // jobs that were held back may start
        return rules;
      }),

    saveKinds: (names, nowMs) => write((transaction) => saveKinds(names, nowMs, transaction)),
    kinds: () => reading(allKinds),
    saveWorkers: (records, nowMs) =>
      write((transaction) => saveWorkers(records, nowMs, transaction), quiet),
    removeWorkers: (holder) => write((transaction) => removeWorkers(holder, transaction)),
    workers: () => reading(allWorkers),

    configAll: () => reading(configAll),
    configSet: (key, value, signed) =>
      write(async (transaction) => {
        await configSet(key, value, transaction);
        await record({ action: "config.set", target: key, detail: value }, signed, transaction);
      }),
    configUnset: (key, signed) =>
      write(async (transaction) => {
        const wasSet = await configUnset(key, transaction);
        if (wasSet) await record({ action: "config.unset", target: key }, signed, transaction);
        return wasSet;
      }),

    createToken: (token, signed) =>
      write(async (transaction) => {
        const { id, name, scopes } = token;
        if (!await tokens.createToken(token, transaction)) return false;
        const entry = { target: `${id} ${name}`, detail: scopes.join(",") };
        await record({ action: "token.create", ...entry }, signed, transaction);
        return true;
      }),
    tokens: () => reading(tokens.allTokens),
    revokeToken: (id, signed) =>
      write(async (transaction) => {
        const token = await tokens.revokeToken(id, transaction);
        if (token === null) return null;
        const target = `${id} ${token.name}`;
        await record({ action: "token.revoke", target }, signed, transaction);
        return token;
      }),
    useTokens: (ids, nowMs) =>
      write((transaction) => tokens.useTokens(ids, nowMs, transaction), quiet),
    audit: (query) => reading((sql) => readAudit(query, sql)),
    note: (action, target, signed) =>
      write((transaction) => record({ action, target }, signed, transaction)),

    prune: (step) =>
      step.isDry
        ? reading((sql) => pruneStep(step, sql, null))
        : write((transaction) => pruneStep(step, transaction, transaction)),
    takePruneTurn: async (nowMs, everyMs) =>
      await reading((sql) => isPruneTurn(nowMs, everyMs, sql)) &&
      await write((transaction) => takePruneTurn(nowMs, everyMs, transaction), quiet),
    size: () => reading(storeSize),
    shrink: () => reading(storeSize),
    settleSize: () => Promise.resolve(),

    addSchedule: (request, signed) =>
      write(async (transaction) => {
        const addition = await schedules.addSchedule(request, transaction);
        if ("schedule" in addition) {
          const action = addition.result === "added" ? "schedule.add" : "schedule.replace";
          await record({ action, target: request.schedule.name }, signed, transaction);
        }
        return addition;
      }),
    schedules: () => reading(schedules.allSchedules),
    schedule: (name) => reading((sql) => schedules.findSchedule(name, sql)),
    dueSchedules: (nowMs) => reading((sql) => schedules.dueSchedules(nowMs, sql)),
    runSchedule: (run, nowMs, signed) =>
      write(async (transaction) => {
        const ran = await schedules.runSchedule(run, { nowMs, adding }, transaction);
        const outcome = ran.result === "ran" ? "done" : "refused";
        await record({ action: "schedule.run", target: run.name, outcome }, signed, transaction);
        return ran;
      }),
    moveSchedule: (move, nowMs) =>
      write((transaction) => schedules.moveSchedule(move, nowMs, transaction)),
    pauseSchedule: (name, nowMs, signed) =>
      write(async (transaction) => {
        const paused = await schedules.pauseSchedule(name, nowMs, transaction);
        const entry = { action: "schedule.pause", target: name } as const;
        if (paused.isChanged) await record(entry, signed, transaction);
        return paused.schedule;
      }),
    resumeSchedule: (name, times, signed) =>
      write(async (transaction) => {
        const resumed = await schedules.resumeSchedule(name, times, transaction);
        const entry = { action: "schedule.resume", target: name } as const;
        if (resumed.isChanged) await record(entry, signed, transaction);
        return resumed.schedule;
      }),
    removeSchedule: (name, signed) =>
      write(async (transaction) => {
        const schedule = await schedules.removeSchedule(name, transaction);
        const entry = { action: "schedule.remove", target: name } as const;
        if (schedule !== null) await record(entry, signed, transaction);
        return schedule;
      }),

    nextDeliveryAtMs: () => reading(deliveries.nextDeliveryAtMs),
    claimDeliveries: (request) =>
      write((transaction) => deliveries.claimDeliveries(request, transaction), quiet),
    settleDelivery: (attempt, outcome, nowMs) =>
      write((transaction) => deliveries.settleDelivery(attempt, outcome, nowMs, transaction)),
    deliveries: (query) => reading((sql) => deliveries.listDeliveries(query, sql)),
    delivery: (id) => reading((sql) => deliveries.findDelivery(id, sql)),
    replayDelivery: (id, nowMs, signed) =>
      write(async (transaction) => {
        const delivery = await deliveries.replayDelivery(id, nowMs, transaction);
        const entry = { action: "webhook.replay", target: id } as const;
        if (delivery !== null) await record(entry, signed, transaction);
        return delivery;
      }),
    pruneDeliveries: (overSinceMs, limit) =>
      write((transaction) => deliveries.pruneDeliveries(overSinceMs, limit, transaction), quiet),
    async webhookSecrets(fresh, nowMs) {
      const kept = await reading((sql) => deliveries.readSecrets(nowMs, sql));
      if (kept.length > 0) return kept;
      return await write((transaction) => deliveries.secrets(fresh, nowMs, transaction));
    },
    rotateWebhookSecret: (fresh, times, signed) =>
      write(async (transaction) => {
        await deliveries.rotateSecret(fresh, times, transaction);
        await record({ action: "webhook.rotate", target: "secret" }, signed, transaction);
      }),

    probe: (nowMs) =>
      write(async (transaction) => {
        await transaction.run(
          "INSERT INTO meta (key, value) VALUES ('probed_at', $1) " +
            "ON CONFLICT (key) DO UPDATE SET value = excluded.value",
          nowMs,
        );
      }, quiet),

    addMetrics: (sums) => write((transaction) => addMetrics(sums, transaction), quiet),
    metrics: () => reading(allMetrics),

    alerts: () => reading(alertNames),
    changeAlert: (change, nowMs) => write((transaction) => changeAlert(change, nowMs, transaction)),

    follow: (untilMs) =>
      write((transaction) => transaction.journal.follow(untilMs, place, transaction), quiet),
    journal: (query) => reading((sql) => journalPage(query, sql)),

    watch: (onChange) => changes.subscribe(onChange),
    watchOwn(onTold) {
      const listener = () => onTold();
      ownListeners.add(listener);
      return { [Symbol.dispose]: () => void ownListeners.delete(listener) };
    },

    [Symbol.asyncDispose]() {
      return closing ??= (async () => {
        closingSinceMs = performance.now();
        await writer.close();
        isClosed = true;
        await reader.close();
        await changes.close();
      })();
    },
  };
}
