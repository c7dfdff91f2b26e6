import type { Chain, Registry, TransactionSender } from '@peerhost/chain'
import type { Domain, Hex, MessageSigner } from '@peerhost/protocol'
import type { Store as ContentStore, Source } from '@peerhost/storage'
import type { CompleteConfig } from './config.ts'
import type { ByteBudget } from './http/byte-budget.ts'
import type { InFlight } from './http/in-flight.ts'
import type { Outgoing } from './http/outgoing.ts'
import type { Quota } from './http/quota.ts'
import type { Log } from './log.ts'
import type { Metrics } from './metrics.ts'
import type { Payments } from './pay/payments.ts'
import type { ProjectCatalogue } from './routing/project-catalogue.ts'
import type { SchemaValidator } from './routing/schema-validator.ts'
import type { Store } from './store/store.ts'
import type { WorkerPool } from './workers/worker-pool.ts'

/** The parts of a running gateway, made once in create-gateway.ts. */
export interface Context {
  config: CompleteConfig
  /** Where callers reach it, without slash at the end. */
  publicUrl: string
  domain: Domain
  /** Bonded address. */
  gateway: Hex
  signer: MessageSigner
  chain: Chain
  registry: Registry
  sender: TransactionSender
  store: Store
  content: ContentStore
  /** Where content is read from: the own store first. */
  sources: readonly (Source | string)[]
  catalogue: ProjectCatalogue
  schemas: SchemaValidator
  pool: WorkerPool
  payments: Payments
  metrics: Metrics
  /** Request bodies in memory. */
  bodies: ByteBudget
  /** Answers in memory. */
  outgoing: Outgoing
  inFlight: InFlight
  /** Free calls by source address. */
  freeCalls: Quota
  /** Payments that were not valid, by caller: each one may have cost questions to the chain's node. */
  badPayments: Quota
  isTrustedProxy: (address: string) => boolean
  log: Log
}
