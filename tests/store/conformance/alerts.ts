/** The promises of alerts: each begins and ends once, however many processes look. */
import assert from "node:assert/strict";
import { T0 } from "../../helpers/jobs.ts";
import type { Suite } from "./harness.ts";

const firing = {
  name: "no-workers",
  isFiring: true,
  event: "alert.firing",
  url: "https://alerts.example/hook",
  body: '{"type":"alert.firing"}',
} as const;
const resolved = { ...firing, isFiring: false, event: "alert.resolved", body: "{}" } as const;

export function alertPromises({ test }: Suite): void {
  test("an alert begins once and ends once, with a webhook for each", async (store) => {
    const told = await Promise.all([1, 2, 3].map(() => store.changeAlert(firing, T0)));
    assert.deepEqual(told.filter(Boolean).length, 1);
    assert.deepEqual(await store.alerts(), ["no-workers"]);
    assert.equal(await store.changeAlert(resolved, T0 + 1), true);
    assert.equal(await store.changeAlert(resolved, T0 + 2), false);
    assert.deepEqual(await store.alerts(), []);
    const { deliveries } = await store.deliveries({ limit: 10 });
    assert.deepEqual(deliveries.map(({ event }) => event), ["alert.resolved", "alert.firing"]);
    const claimed = await store.claimDeliveries({
      nowMs: T0 + 2,
      untilMs: T0 + 1_000,
      limit: 10,
      limitPerOrigin: 10,
      underWay: new Map(),
    });
    assert.equal(claimed.length, 2);
    assert.equal(claimed[0]!.body, firing.body);
  });
}
