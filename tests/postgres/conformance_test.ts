/** The PostgreSQL store keeps every promise of the seam. */
import { startPostgres, tempPostgresStore } from "../helpers/postgres.ts";
import { storeConformance } from "../store/conformance.ts";

const server = await startPostgres();
if (server !== null) storeConformance("postgres", () => tempPostgresStore(server));
