/** Why a request got no answer. */

export type RequestFailure =
  /** Its address may not be called. */
  | "address"
  /** No connection, no valid certificate, or an answer that broke off or is not HTTP. */
  | "connect";

export class RequestFailedError extends Error {
  constructor(readonly failure: RequestFailure, message: string) {
    super(message);
    this.name = "RequestFailedError";
  }
}
