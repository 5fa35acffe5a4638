/** The SQLite store does what the model does. */
import { tempStore } from "../helpers/temp_store.ts";
import { simulate } from "./simulation.ts";

simulate("sqlite", async () => {
  const temp = await tempStore();
  const stores = [temp.store, await temp.openAgain()] as const;
  return { stores, [Symbol.asyncDispose]: () => temp[Symbol.asyncDispose]() };
});
