/** Which kinds each worker runs, as JSON, so that a job can say that nobody runs it. */
export const workerKinds = `
ALTER TABLE workers ADD COLUMN kinds TEXT;
`;
