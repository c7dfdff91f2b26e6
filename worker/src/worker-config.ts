import { availableParallelism } from 'node:os'
import type { ContractAddresses, Hex, NetworkInfo } from '@peerhost/protocol'
import type { WorkerLog } from './worker-log.ts'

export interface WorkerConfig {
  network: NetworkInfo
  rpcUrl: string
  contracts: ContractAddresses
  /** First block that can hold an event of the contracts. */
  fromBlock?: number
  /** Gateways to work for. */
  gateways: string[]
  /** Hot key: signs handshakes and receipts. */
  privateKey: string
  /** Bonded address; by default the hot key's own. */
  worker?: Hex
  /** Receipts, bundles, chain mirror. */
  dataDir: string
  /** Executions at once. */
  capacity?: number
  /** MB that all jails may take. */
  memoryMb?: number
  /** `auto` where the network is local: works without cgroups and says so. */
  cgroups?: 'required' | 'auto'
  forkPoint?: 'auto' | 'blank'
  nsjail?: string
  /** Milliseconds between two looks at the chain. */
  pollMs?: number
  /** Milliseconds between two looks for earnings to claim. */
  claimMs?: number
  /** Atomic USDC below which a claim waits. */
  claimMinimum?: bigint
  log?: WorkerLog
}

/** Requests wait in a worker for a jail: more at once than there are cores costs little but memory. */
export const defaultCapacity = (): number => 16 * availableParallelism()
