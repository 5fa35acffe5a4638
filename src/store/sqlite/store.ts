/**
 * The store on SQLite: one connection per process, which one thread owns. Writes gather into
 * shared commits; reads are immediate. Only puts the operations together; each has its own file.
 */
import { pause } from "../../lib/pause.ts";
import { StoreUnavailableError } from "../../job/errors.ts";
import type { Job } from "../../job/job.ts";
import type { Clock } from "../../lib/clock.ts";
import type { JobStore } from "../store.ts";
import { prepareAdd } from "./add.ts";
import { prepareAlerts } from "./alerts.ts";
import { prepareAudit } from "./audit.ts";
import { prepareChange } from "./change.ts";
import { prepareClaim } from "./claim.ts";
import { prepareConfig } from "./config.ts";
import type { Connection } from "./connection.ts";
import { prepareDeliveries } from "./deliveries.ts";
import { prepareEnds } from "./ends.ts";
import { DiskRoom } from "./disk_room.ts";
import { FileGuard } from "./file_guard.ts";
import { prepareFiles } from "./files.ts";
import { prepareHistory } from "./history.ts";
import { Journal } from "./journal.ts";
import { prepareLanes } from "./lanes.ts";
import { describeChange } from "../shared/rules.ts";
import { prepareLimits } from "./limits.ts";
import { prepareMetrics } from "./metrics.ts";
import { prepareKinds } from "./kinds.ts";
import { prepareProgress } from "./progress.ts";
import { preparePrune } from "./prune.ts";
import { prepareRead } from "./read.ts";
import { Reader } from "./reader.ts";
import { prepareReap } from "./reap.ts";
import { prepareRebase } from "./rebase.ts";
import { prepareRemoval } from "./removal.ts";
import { prepareRequests } from "./requests.ts";
import { prepareSchedules } from "./schedules.ts";
import { prepareSearch } from "./search.ts";
import { prepareSettle } from "./settle.ts";
import { prepareStanding } from "./standing.ts";
import { prepareStats } from "./stats.ts";
import { prepareTokens } from "./tokens.ts";
import { ChangeWatch } from "./watch.ts";
import { prepareWorkers } from "./workers.ts";
import { Writer } from "./writer.ts";

/** How long a search looks before it comes back with what it has. */
const SEARCH_PATIENCE_MS = 2_000;

/**
 * What a probe writes: as much as a job takes. A few bytes would still find room on a full disk, in
 * what a refused commit has left of the WAL.
 */
const PROBE_BYTES = 64 * 1024;

/** How long the end of a store goes on telling jobs of the end of others. */
const CLOSING_MS = 500;

/** The store on an open, migrated database, which it closes at its own end. */
export function assemble(connection: Connection, path: string, clock: Clock): JobStore {
  const file = new FileGuard(path);
  const journal = new Journal(connection, clock);
  const reader = new Reader(connection, path, file);
  const writer = new Writer(connection, path, { file, journal });
  writer.onTurn = reader.end;
  const lanes = prepareLanes(connection);
  const ends = prepareEnds(connection);
  const files = prepareFiles(connection);
  const room = new DiskRoom(path);
  const requests = prepareRequests(connection);
  const { add, addOnce, addMissing } = prepareAdd(connection, { ends, files, requests });
  const claim = prepareClaim(connection, lanes);
  const { insertAttempt, ...attempts } = prepareSettle(connection, {
    ends,
    files,
    addMissing,
  });
  const reap = prepareReap(connection, { insertAttempt, ends });
  const rebase = prepareRebase(connection);
  const remove = prepareRemoval(connection, files);
  const change = prepareChange(connection, { ends, remove });
  const deliveries = prepareDeliveries(connection);
  const prune = preparePrune(connection, { remove });
  const schedules = prepareSchedules(connection, { add });
  const read = prepareRead(connection);
  const search = prepareSearch(connection);
  const limits = prepareLimits(connection);
  const stats = prepareStats(connection, lanes, limits);
  const standing = prepareStanding(connection, limits);
  const history = prepareHistory(connection);
  const workers = prepareWorkers(connection);
  const progress = prepareProgress(connection);
  const kinds = prepareKinds(connection);
  const config = prepareConfig(connection);
  const metrics = prepareMetrics(connection);
  const alerts = prepareAlerts(connection);
  const tokens = prepareTokens(connection);
  const audit = prepareAudit(connection);
  const probe = connection.prepare(
    `INSERT OR REPLACE INTO payloads (seq, body) VALUES (0, zeroblob(${PROBE_BYTES}))`,
  );
  const changes = new ChangeWatch(connection, path);
  writer.onCommit = () => changes.ownCommit();
  writer.onWake = () => changes.tell();
  // Should it fail, or be too much for a process that ends, the next reap goes on.
  writer.onUnfinished = () => {
    if (closingSinceMs !== null && performance.now() - closingSinceMs > CLOSING_MS) return;
    write((transaction) => ends.resume(transaction)).catch(() => {});
  };
  const ownListeners = new Set<() => void>();
  writer.onTold = () => ownListeners.forEach((listener) => listener());
  let isClosed = false;
  let closingSinceMs: number | null = null;

  const closed = () => Promise.reject(new StoreUnavailableError(`the database ${path} is closed`));
  const reading = <T>(work: () => T): Promise<T> => isClosed ? closed() : reader.read(work);
  const write: Writer["write"] = (work, order) => isClosed ? closed() : writer.write(work, order);

  return {
    clock,
    add: (jobs, nowMs, { mostWaiting, request } = { mostWaiting: null }) =>
      write((transaction) =>
        request == null
          ? add(jobs, { nowMs, mostWaiting }, transaction)
          : addOnce(jobs, { nowMs, mostWaiting, request }, transaction)
      ),
    claim: (request) => write((transaction) => claim(request(), transaction), { isLast: true }),
    begin: (leases, holder, nowMs) =>
      write((transaction) => attempts.begin(leases, { holder, nowMs }, transaction), {
        isLazy: true,
      }),
    settle: (ended, holder, nowMs) =>
      write((transaction) => attempts.settle(ended, holder, nowMs, transaction)),
    renew: (leases, holder, { expiresAtMs }) =>
      write(() => attempts.renew(leases, holder, expiresAtMs)),
    appendOutput: (lease, holder, chunks) =>
      write(() => attempts.appendOutput(lease, holder, chunks)),
    saveProgress: (lease, holder, said) => write(() => progress.save(lease, holder, said)),
    progress: (lease) => reading(() => progress.of(lease)),
    reap: (request) =>
      write((transaction) => {
        // What has to be done now and then, and costs nothing when there is nothing to do.
        requests.sweep(request.nowMs);
        ends.resume(transaction);
        return reap(request, transaction);
      }),
    rebase: (nowMs) => write(() => rebase(nowMs)),

    cancel: (id, nowMs, signed) =>
      write((transaction) =>
        audit.change("cancel", id, change.cancel(id, nowMs, transaction), signed)
      ),
    requeue: (id, nowMs, signed, edit = {}) =>
      write((transaction) =>
        audit.change("requeue", id, change.requeue(id, { nowMs, edit }, transaction), signed)
      ),
    remove: (id, nowMs, signed) =>
      write((transaction) =>
        audit.change("delete", id, change.remove(id, nowMs, transaction), signed)
      ),
    requeueDead: (nowMs, limit, signed) =>
      write((transaction) =>
        audit.bulk("dlq.retry", change.requeueDead(nowMs, limit, transaction), signed)
      ),
    purgeDead: (limit, signed) =>
      write((transaction) => audit.bulk("dlq.purge", change.purgeDead(limit, transaction), signed)),

    find: (id) => reading(() => read.find(id)),
    payload: (seq) => reading(() => read.payload(seq)),
    list: (query) => reading(() => read.list(query)),
    async search({ patienceMs = SEARCH_PATIENCE_MS, ...query }) {
      const deadlineMs = performance.now() + patienceMs;
      const jobs: Job[] = [];
      let beforeSeq = query.beforeSeq;
      while (true) {
        const limit = query.limit - jobs.length;
        const { page, nextSeq } = await reading(() => search({ ...query, limit, beforeSeq }));
        jobs.push(...page.jobs);
        if (nextSeq === null || jobs.length >= query.limit || performance.now() > deadlineMs) {
          return { jobs, nextSeq };
        }
        beforeSeq = nextSeq;
        await pause(0); // others first: immediates in a row let no request in (Deno 2.9)
      }
    },
    attempts: (seq) => reading(() => read.attempts(seq)),
    output: (query) => reading(() => read.output(query)),
    countUnrequeueable: () => reading(() => change.countUnrequeueable()),
    dependencies: (seq) => reading(() => read.dependencies(seq)),
    cancelRequests: (holder) => reading(() => read.cancelRequests(holder)),
    stats: (nowMs) => reading(() => stats(nowMs)),
    standing: (query) => reading(() => standing(query)),
    history: (query) => reading(() => history(query)),

    async beginFile(file, nowMs) {
      room.assertRoomFor(file.expectedBytes);
      return await write(() => files.begin(file, nowMs));
    },
    async appendFile(piece, nowMs) {
      room.assertRoomFor(piece.bytes.length);
      return await write(() => files.append(piece, nowMs));
    },
    giveUpFile: (file) => write(() => files.giveUp(file)),
    files: (seq) => reading(() => files.of(seq)),
    filePiece: (file, n) => reading(() => files.piece(file, n)),
    sweepFiles: (idleSinceMs) => write(() => files.sweep(idleSinceMs)),
    changeQueue: (queue, change, nowMs, signed) =>
      write((transaction) => {
        const rules = limits.change(queue, change, nowMs);
        audit.record({ ...describeChange(change), target: queue }, signed);
        transaction.wake(); // jobs that were held back may start
        return rules;
      }),

    saveKinds: (names, nowMs) => write(() => kinds.save(names, nowMs)),
    kinds: () => reading(() => kinds.all()),
    saveWorkers: (records, nowMs) => write(() => workers.save(records, nowMs)),
    removeWorkers: (holder) => write(() => workers.remove(holder)),
    workers: () => reading(() => workers.all()),

    configAll: () => reading(() => config.all()),
    configSet: (key, value, signed) =>
      write(() => {
        config.set(key, value);
        audit.record({ action: "config.set", target: key, detail: value }, signed);
      }),
    configUnset: (key, signed) =>
      write(() => {
        const wasSet = config.unset(key);
        if (wasSet) audit.record({ action: "config.unset", target: key }, signed);
        return wasSet;
      }),

    createToken: (token, signed) =>
      write(() => {
        const { id, name, scopes } = token;
        if (!tokens.create(token)) return false;
        const detail = scopes.join(",");
        audit.record({ action: "token.create", target: `${id} ${name}`, detail }, signed);
        return true;
      }),
    tokens: () => reading(() => tokens.all()),
    revokeToken: (id, signed) =>
      write(() => {
        const token = tokens.revoke(id);
        if (token === null) return null;
        audit.record({ action: "token.revoke", target: `${id} ${token.name}` }, signed);
        return token;
      }),
    useTokens: (ids, nowMs) => write(() => tokens.use(ids, nowMs)),
    audit: (query) => reading(() => audit.read(query)),
    note: (action, target, signed) => write(() => audit.record({ action, target }, signed)),

    prune: (step) =>
      step.isDry
        ? reading(() => prune.step(step, null))
        : write((transaction) => prune.step(step, transaction)),
    takePruneTurn: async (nowMs, everyMs) =>
      await reading(() => prune.isTurn(nowMs, everyMs)) &&
      await write(() => prune.takeTurn(nowMs, everyMs)),
    size: () => reading(() => prune.size()),
    shrink: (bytes) => write(() => prune.shrink(bytes)),
    settleSize: () => reading(() => prune.settleSize()),

    addSchedule: (request, signed) =>
      write(() => {
        const addition = schedules.add(request);
        if ("schedule" in addition) {
          const action = addition.result === "added" ? "schedule.add" : "schedule.replace";
          audit.record({ action, target: request.schedule.name }, signed);
        }
        return addition;
      }),
    schedules: () => reading(() => schedules.all()),
    schedule: (name) => reading(() => schedules.find(name)),
    dueSchedules: (nowMs) => reading(() => schedules.due(nowMs)),
    runSchedule: (run, nowMs, signed) =>
      write((transaction) => {
        const ran = schedules.run(run, nowMs, transaction);
        const outcome = ran.result === "ran" ? "done" : "refused";
        audit.record({ action: "schedule.run", target: run.name, outcome }, signed);
        return ran;
      }),
    moveSchedule: (move, nowMs) => write(() => schedules.move(move, nowMs)),
    pauseSchedule: (name, nowMs, signed) =>
      write(() => {
        const { schedule, isChanged } = schedules.pause(name, nowMs);
        if (isChanged) audit.record({ action: "schedule.pause", target: name }, signed);
        return schedule;
      }),
    resumeSchedule: (name, times, signed) =>
      write(() => {
        const { schedule, isChanged } = schedules.resume(name, times);
        if (isChanged) audit.record({ action: "schedule.resume", target: name }, signed);
        return schedule;
      }),
    removeSchedule: (name, signed) =>
      write(() => {
        const schedule = schedules.remove(name);
        if (schedule !== null) audit.record({ action: "schedule.remove", target: name }, signed);
        return schedule;
      }),

    nextDeliveryAtMs: () => reading(() => deliveries.nextAtMs()),
    claimDeliveries: (request) => write(() => deliveries.claim(request)),
    settleDelivery: (attempt, outcome, nowMs) =>
      write(() => deliveries.settle(attempt, outcome, nowMs)),
    deliveries: (query) => reading(() => deliveries.list(query)),
    delivery: (id) => reading(() => deliveries.find(id)),
    replayDelivery: (id, nowMs, signed) =>
      write((transaction) => {
        const delivery = deliveries.replay(id, nowMs, transaction);
        if (delivery !== null) audit.record({ action: "webhook.replay", target: id }, signed);
        return delivery;
      }),
    pruneDeliveries: (overSinceMs, limit) => write(() => deliveries.prune(overSinceMs, limit)),
    async webhookSecrets(fresh, nowMs) {
      const kept = await reading(() => deliveries.readSecrets(nowMs));
      return kept.length > 0 ? kept : await write(() => deliveries.secrets(fresh, nowMs));
    },
    rotateWebhookSecret: (fresh, times, signed) =>
      write(() => {
        deliveries.rotateSecret(fresh, times);
        audit.record({ action: "webhook.rotate", target: "secret" }, signed);
      }),

    probe: () => write(() => void probe.run()),

    addMetrics: (sums) => write(() => metrics.add(sums)),
    metrics: () => reading(() => metrics.all()),

    alerts: () => reading(() => alerts.names()),
    changeAlert: (change, nowMs) =>
      write((transaction) => alerts.change(change, nowMs, transaction)),

    follow: (untilMs) => write(() => journal.follow(untilMs)),
    journal: ({ afterId, limit }) => reading(() => journal.page(afterId, limit)),

    watch: (onChange) => changes.subscribe(onChange),
    watchOwn(onTold) {
      const listener = () => onTold();
      ownListeners.add(listener);
      return { [Symbol.dispose]: () => void ownListeners.delete(listener) };
    },

    [Symbol.asyncDispose]() {
      if (!isClosed) {
        closingSinceMs = performance.now();
        writer.flush();
        isClosed = true;
        reader.end();
        changes.close();
        connection.close();
      }
      return Promise.resolve();
    },
  };
}
