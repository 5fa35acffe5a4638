/** The PostgreSQL store does what the model does. */
import { startPostgres, tempPostgresStore } from "../helpers/postgres.ts";
import { simulate } from "../sim/simulation.ts";

const server = await startPostgres();
if (server !== null) {
  simulate("postgres", async () => {
    const temp = await tempPostgresStore(server);
    const stores = [temp.store, await temp.openAgain()] as const;
    return { stores, [Symbol.asyncDispose]: () => temp[Symbol.asyncDispose]() };
  }, 40);
}
