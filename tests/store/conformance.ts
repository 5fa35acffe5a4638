/**
 * The conformance suite of the store: every promise of `JobStore`, proved on whatever backend it is
 * given. A new backend calls {@link storeConformance} with a function that opens an empty store, and
 * is done when all of it passes. Knows no backend.
 */
import { addPromises } from "./conformance/add.ts";
import { alertPromises } from "./conformance/alerts.ts";
import { auditPromises } from "./conformance/audit.ts";
import { changePromises } from "./conformance/change.ts";
import { claimPromises } from "./conformance/claim.ts";
import { connectionPromises } from "./conformance/connections.ts";
import { assertCountsAreRight, type OpenFresh, type Suite } from "./conformance/harness.ts";
import { filePromises } from "./conformance/files.ts";
import { handlerPromises } from "./conformance/handlers.ts";
import { leasePromises } from "./conformance/lease.ts";
import { deliveryPromises } from "./conformance/deliveries.ts";
import { depthPromises } from "./conformance/depth.ts";
import { limitPromises } from "./conformance/limits.ts";
import { listPromises } from "./conformance/list.ts";
import { payloadPromises } from "./conformance/payload.ts";
import { prunePromises } from "./conformance/prune.ts";
import { reapPromises } from "./conformance/reap.ts";
import { schedulePromises } from "./conformance/schedules.ts";
import { relationPromises } from "./conformance/relations.ts";
import { requestPromises } from "./conformance/requests.ts";
import { searchPromises } from "./conformance/search.ts";
import { sessionPromises } from "./conformance/session.ts";
import { settlePromises } from "./conformance/settle.ts";
import { statsPromises } from "./conformance/stats.ts";
import { tokenPromises } from "./conformance/tokens.ts";
import { uniquePromises } from "./conformance/unique.ts";

/** Registers the whole suite under the backend's name. */
export function storeConformance(name: string, openFresh: OpenFresh): void {
  const suite: Suite = {
    test(promise, prove, { isClosed = false } = {}) {
      Deno.test(`${name}: ${promise}`, async () => {
        await using fresh = await openFresh();
        await prove(fresh.store, fresh);
        if (!isClosed) await assertCountsAreRight(fresh.store);
      });
    },
  };
  addPromises(suite);
  claimPromises(suite);
  leasePromises(suite);
  settlePromises(suite);
  reapPromises(suite);
  changePromises(suite);
  listPromises(suite);
  payloadPromises(suite);
  searchPromises(suite);
  statsPromises(suite);
  schedulePromises(suite);
  prunePromises(suite);
  sessionPromises(suite);
  connectionPromises(suite);
  depthPromises(suite);
  tokenPromises(suite);
  auditPromises(suite);
  alertPromises(suite);
  relationPromises(suite);
  uniquePromises(suite);
  requestPromises(suite);
  limitPromises(suite);
  filePromises(suite);
  handlerPromises(suite);
  deliveryPromises(suite);
}
