export { createWorker, type Worker } from './create-worker.ts'
export { defaultCapacity, type WorkerConfig } from './worker-config.ts'
export type { WorkerLog } from './worker-log.ts'
