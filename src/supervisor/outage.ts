/** Whether the store can be used; tells of the beginning and of the end of an outage, once each. */
import { StoreUnavailableError } from "../job/errors.ts";
import type { EventBus } from "../queue/events.ts";

export class Outage {
  readonly #events: EventBus;
  #isOn = false;

  constructor(events: EventBus) {
    this.#events = events;
  }

  /** @throws {unknown} the error, unless the store was unavailable: it must not be hidden by trying again. */
  begin(error: unknown): void {
    if (!(error instanceof StoreUnavailableError)) throw error;
    if (this.#isOn) return;
    this.#isOn = true;
    this.#events.emit({ type: "store.unavailable", message: error.message });
  }

  /** The store has answered. */
  end(): void {
    if (!this.#isOn) return;
    this.#isOn = false;
    this.#events.emit({ type: "store.available" });
  }
}
