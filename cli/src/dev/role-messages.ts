import type { createGateway } from '@peerhost/gateway'
import type { WorkerConfig } from '@peerhost/worker'

/** What a member of the embedded network is told. */
export type RoleConfig =
  | { role: 'gateway'; gateway: Omit<Parameters<typeof createGateway>[0], 'log'> }
  | { role: 'worker'; worker: Omit<WorkerConfig, 'log'> }

/** What it says, a line of JSON each. */
export type RoleMessage =
  | { event: 'ready'; url?: string }
  | { event: 'failed'; code: string; message: string; hint: string }
  | { event: 'log'; level: 'info' | 'warning' | 'error'; message: string }
