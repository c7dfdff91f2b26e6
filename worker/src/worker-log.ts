/** Where a worker says what happens, one line each; never a key, a request or a response. */
export type WorkerLog = (level: 'info' | 'warning' | 'error', message: string) => void
