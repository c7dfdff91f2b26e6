import { type ContractAddresses, type Hex, type NetworkInfo, PeerHostError } from '@peerhost/protocol'
import type { StoreConfig } from '@peerhost/storage'
import { Ajv } from 'ajv'
import { type Log, type LogLevel, toLog } from './log.ts'

export interface GatewayLimits {
  /** Calls of functions under way at once. */
  maxInFlight: number
  maxConnections: number
  /** Bytes of request bodies that are held in memory at once. */
  maxBodyBytes: number
  /** Bytes of answers that wait in memory for slow clients. */
  maxOutgoingBytes: number
  /** Milliseconds for a request's headers. */
  headersTimeoutMs: number
  /** Milliseconds for a whole request. */
  requestTimeoutMs: number
  /** Bytes of one uploaded file. */
  maxUploadBytes: number
  /** Bytes that one wallet may upload in an hour, and a quarter of what one source may. */
  uploadBytesPerHour: number
  /** Trials (`/prove`) that one wallet may ask for in a minute, and a quarter of what one source may. */
  provesPerMinute: number
  /** Free calls that one source address may make in a minute; 0 for no limit. */
  freeCallsPerMinute: number
  /** Payments that are not valid which one source may send in a minute; 0 for no limit. */
  badPaymentsPerMinute: number
  /** Bytes of logs that are kept of one function. */
  logBytes: number
}

/** All that a gateway has to know. */
export interface CompleteConfig {
  /** Address to listen at. */
  host: string
  /** 0 for any free one. */
  port: number
  /** Where callers reach it, for links; by default the address it listens at. */
  publicUrl?: string
  network: NetworkInfo
  contracts: ContractAddresses
  rpcUrl: string
  /** The hot key: signs assignments and acceptances, pays gas. */
  privateKey: string
  /** Bonded address that the hot key belongs to; by default the hot key's own. */
  gateway?: Hex
  dataDir: string
  /** Block of the contracts' deployment. */
  fromBlock: number
  /** Milliseconds between two looks at the chain. */
  pollMs: number
  /** Addresses and CIDR ranges of proxies whose `x-forwarded-for` counts. */
  trustedProxies: string[]
  /** Where content is kept; by default a folder of dataDir. */
  content?: StoreConfig
  /** Trustless gateways that are asked for content that is not here. */
  ipfsSources: string[]
  /** Milliseconds between batches, and receipts that make one at once. */
  anchorIntervalMs: number
  anchorCount: number
  /** Milliseconds on top of a function's timeout until another worker is tried. */
  dispatchMarginMs: number
  /** Gwei per gas that no transaction exceeds, however long it is stuck. */
  maxFeeGwei: number
  limits: GatewayLimits
  log: Log
}

/** What a gateway is started with; the rest has defaults. */
export type GatewayConfig = Pick<CompleteConfig, 'network' | 'contracts' | 'rpcUrl' | 'privateKey' | 'dataDir'> &
  Partial<Omit<CompleteConfig, 'limits' | 'log'>> & {
    limits?: Partial<GatewayLimits>
    /** Told what happens, one line each; never keys, payments or bodies. */
    log?: (level: LogLevel, message: string) => void
  }

const LIMITS: GatewayLimits = {
  maxInFlight: 2_000,
  maxConnections: 10_000,
  maxBodyBytes: 256 * 1024 * 1024,
  maxOutgoingBytes: 256 * 1024 * 1024,
  headersTimeoutMs: 10_000,
  requestTimeoutMs: 60_000,
  maxUploadBytes: 32 * 1024 * 1024,
  uploadBytesPerHour: 512 * 1024 * 1024,
  provesPerMinute: 10,
  freeCallsPerMinute: 0,
  badPaymentsPerMinute: 600,
  logBytes: 1024 * 1024,
}

const address = { type: 'string', pattern: '^0x[0-9a-fA-F]{40}$' }
const count = { type: 'integer', minimum: 0 }
const positive = { type: 'integer', minimum: 1 }
const text = { type: 'string', minLength: 1 }
const httpUrl = { type: 'string', pattern: '^https?://' }

const SCHEMA = {
  type: 'object',
  required: ['network', 'contracts', 'rpcUrl', 'privateKey', 'dataDir', 'host', 'port'],
  properties: {
    host: text,
    port: { type: 'integer', minimum: 0, maximum: 65_535 },
    publicUrl: httpUrl,
    network: { type: 'object', required: ['name', 'chainId', 'usdc', 'finality'] },
    contracts: {
      type: 'object',
      required: ['ExecutionCoordinator', 'StakeVault', 'PaymentVault'],
      properties: { ExecutionCoordinator: address, StakeVault: address, PaymentVault: address },
    },
    rpcUrl: httpUrl,
    privateKey: text,
    gateway: address,
    dataDir: text,
    fromBlock: count,
    pollMs: positive,
    trustedProxies: { type: 'array', items: { type: 'string', pattern: '^[0-9a-fA-F:.]+(/[0-9]{1,3})?$' } },
    ipfsSources: { type: 'array', items: httpUrl },
    anchorIntervalMs: positive,
    anchorCount: { type: 'integer', minimum: 1, maximum: 10_000 },
    dispatchMarginMs: positive,
    maxFeeGwei: positive,
    limits: {
      type: 'object',
      additionalProperties: false,
      properties: Object.fromEntries(Object.keys(LIMITS).map((name) => [name, count])),
    },
  },
}

/** Completes a configuration with the defaults of its network and checks it: PH_CONFIG_INVALID. */
export function completeConfig(options: GatewayConfig): CompleteConfig {
  const isLocal = options.network.name === 'local'
  const given = Object.fromEntries(Object.entries(options).filter(([, value]) => value !== undefined))
  const config = {
    host: '127.0.0.1',
    port: 8402,
    fromBlock: 0,
    pollMs: isLocal ? 250 : 2_000,
    trustedProxies: [],
    ipfsSources: [],
    anchorIntervalMs: isLocal ? 5_000 : 60_000,
    anchorCount: 10_000,
    dispatchMarginMs: 5_000,
    maxFeeGwei: 2_000,
    ...given,
    limits: { ...LIMITS, ...options.limits },
    log: toLog(options.log),
  } as unknown as CompleteConfig
  const validate = new Ajv({ strict: false }).compile(SCHEMA)
  const { log, ...plain } = config
  if (!validate(plain)) {
    const { instancePath, message } = validate.errors![0]!
    throw new PeerHostError('PH_CONFIG_INVALID', {
      detail: `${instancePath.slice(1).replaceAll('/', '.') || 'it'} ${message}`,
    })
  }
  const lower = (value: Hex) => value.toLowerCase() as Hex
  return {
    ...config,
    publicUrl: config.publicUrl?.replace(/\/+$/, ''),
    gateway: config.gateway && lower(config.gateway),
    contracts: {
      ExecutionCoordinator: lower(config.contracts.ExecutionCoordinator),
      StakeVault: lower(config.contracts.StakeVault),
      PaymentVault: lower(config.contracts.PaymentVault),
    },
  }
}
