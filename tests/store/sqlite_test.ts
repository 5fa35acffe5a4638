/** The SQLite store keeps every promise of the seam. */
import { tempStore } from "../helpers/temp_store.ts";
import { storeConformance } from "./conformance.ts";

storeConformance("sqlite", tempStore);
