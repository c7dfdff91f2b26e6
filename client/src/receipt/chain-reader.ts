import {
  type BatchHeader,
  type ContractAddresses,
  executionCoordinatorAbi,
  type FunctionSpec,
  type Hex,
  PeerHostError,
  paymentVaultAbi,
  stakeVaultAbi,
} from '@peerhost/protocol'
import { BaseError, ContractFunctionZeroDataError, createPublicClient, http, type PublicClient } from 'viem'

/** A batch that a gateway anchored. */
export interface AnchoredBatch {
  header: BatchHeader
  headerHash: Hex
  transaction: Hex
  /** Block time in seconds. */
  anchoredAt: number
}

/** A registered version of a function with the fields behind its commitment. */
export interface RegisteredFunction {
  owner: Hex
  project: string
  version: number
  spec: FunctionSpec
}

/** What a receipt is checked against: reads of the contracts, no transaction. Addresses and hashes in lower case. */
export interface ChainReader {
  readonly chainId: number
  readonly coordinator: Hex
  /** Seconds. */
  epochLength(): Promise<bigint>
  /** Seconds from anchoring until a batch is final. */
  challengeWindow(): Promise<bigint>
  /** Whose hot key it was in that epoch. */
  hotKeyOwner(key: Hex, epoch: bigint): Promise<Hex | undefined>
  /** keccak256 of the FunctionSpec of a version; undefined if there is none. */
  specCommitment(serviceId: Hex, version: number): Promise<Hex | undefined>
  /** The version's fields, from its event. */
  registeredFunction(serviceId: Hex, version: number): Promise<RegisteredFunction | undefined>
  /** A gateway's batches from a time on (seconds), oldest first. */
  batches(gateway: Hex, since: number): AsyncIterable<AnchoredBatch>
  /** Index from which a gateway's batches are void. */
  voidFrom(gateway: Hex): Promise<bigint>
  /** The `payTo` of an owner's services at a gateway. */
  accountOf(gateway: Hex, owner: Hex): Promise<Hex>
  /** Block time of the latest block, in seconds. */
  now(): Promise<number>
}

export interface ChainReaderOptions {
  rpcUrl: string
  chainId: number
  contracts: ContractAddresses
  /** The first block that can hold events of these contracts. Default: 0. */
  fromBlock?: number
}

/** Blocks a log query spans at first; nodes that refuse are asked for less. */
const LOG_SPAN = 50_000n

/** Reads PeerHost's contracts over JSON-RPC. Throws PH_CHAIN_UNREACHABLE, and PH_CHAIN_WRONG_NETWORK at the first read. */
export function createChainReader({ rpcUrl, chainId, contracts, fromBlock = 0 }: ChainReaderOptions): ChainReader {
  return new RpcChainReader({ rpcUrl, chainId, contracts, fromBlock })
}

const lower = (hex: string): Hex => hex.toLowerCase() as Hex
const isZero = (hex: string): boolean => /^0x0*$/.test(hex)

class RpcChainReader implements ChainReader {
  readonly chainId: number
  readonly coordinator: Hex
  readonly #client: PublicClient
  /** Does not repeat a query that the node finds too large: a smaller one comes next. */
  readonly #logClient: PublicClient
  #logSpan = LOG_SPAN
  readonly #options: Required<ChainReaderOptions>
  readonly #registry: { address: Hex; abi: typeof executionCoordinatorAbi }
  #rightChain: Promise<void> | undefined

  constructor(options: Required<ChainReaderOptions>) {
    this.#client = createPublicClient({ transport: http(options.rpcUrl, { timeout: 15_000 }) })
    this.#logClient = createPublicClient({ transport: http(options.rpcUrl, { timeout: 15_000, retryCount: 0 }) })
    this.#options = options
    this.chainId = options.chainId
    this.coordinator = lower(options.contracts.ExecutionCoordinator)
    this.#registry = { address: this.coordinator, abi: executionCoordinatorAbi }
  }

  epochLength(): Promise<bigint> {
    return this.#ask((chain) => chain.readContract({ ...this.#registry, functionName: 'epochLength' }))
  }

  challengeWindow(): Promise<bigint> {
    return this.#ask((chain) => chain.readContract({ ...this.#registry, functionName: 'challengeWindow' }))
  }

  voidFrom(gateway: Hex): Promise<bigint> {
    return this.#ask((chain) => chain.readContract({ ...this.#registry, functionName: 'voidFrom', args: [gateway] }))
  }

  async hotKeyOwner(key: Hex, epoch: bigint): Promise<Hex | undefined> {
    const vault = { address: this.#options.contracts.StakeVault, abi: stakeVaultAbi } as const
    const read = { ...vault, functionName: 'hotKeyOwnerAt', args: [key, epoch] } as const
    const owner = await this.#ask((chain) => chain.readContract(read))
    return isZero(owner) ? undefined : lower(owner)
  }

  async specCommitment(serviceId: Hex, version: number): Promise<Hex | undefined> {
    const read = { ...this.#registry, functionName: 'specCommitment', args: [serviceId, version] } as const
    const commitment = await this.#ask((chain) => chain.readContract(read))
    return isZero(commitment) ? undefined : lower(commitment)
  }

  async accountOf(gateway: Hex, owner: Hex): Promise<Hex> {
    const vault = { address: this.#options.contracts.PaymentVault, abi: paymentVaultAbi } as const
    const read = { ...vault, functionName: 'accountOf', args: [gateway, owner] } as const
    return lower(await this.#ask((chain) => chain.readContract(read)))
  }

  async now(): Promise<number> {
    return Number((await this.#ask((chain) => chain.getBlock())).timestamp)
  }

  async registeredFunction(serviceId: Hex, version: number): Promise<RegisteredFunction | undefined> {
    const events = this.#inSpans(BigInt(this.#options.fromBlock), (chain, range) =>
      chain.getContractEvents({
        ...this.#registry,
        ...range,
        eventName: 'FunctionDeployed',
        args: { serviceId },
        strict: true,
      }),
    )
    for await (const { args } of events) {
      if (args.version !== version) continue
      return { owner: lower(args.owner), project: args.project, version, spec: { ...args.spec } }
    }
    return undefined
  }

  async *batches(gateway: Hex, since: number): AsyncIterable<AnchoredBatch> {
    const events = this.#inSpans(await this.#firstBlockSince(since), (chain, range) =>
      chain.getContractEvents({
        ...this.#registry,
        ...range,
        eventName: 'BatchAnchored',
        args: { gateway },
        strict: true,
      }),
    )
    for await (const { args, transactionHash, blockNumber } of events) {
      const { timestamp } = await this.#ask((chain) => chain.getBlock({ blockNumber }))
      const header = { ...args.header, gateway: lower(args.header.gateway) }
      yield { header, headerHash: args.headerHash, transaction: transactionHash, anchoredAt: Number(timestamp) }
    }
  }

  /** Events in order of their blocks; a node that finds a span of blocks too large is asked for a quarter of it. */
  async *#inSpans<T>(
    from: bigint,
    read: (chain: PublicClient, range: { fromBlock: bigint; toBlock: bigint }) => Promise<T[]>,
  ) {
    const last = await this.#ask((chain) => chain.getBlockNumber({ cacheTime: 0 }))
    for (let fromBlock = from; fromBlock <= last; ) {
      const end = fromBlock + this.#logSpan - 1n
      const toBlock = end < last ? end : last
      let events: T[]
      try {
        events = await this.#ask(() => read(this.#logClient, { fromBlock, toBlock }))
      } catch (error) {
        if (this.#logSpan <= 16n) throw error
        this.#logSpan /= 4n
        continue
      }
      yield* events
      fromBlock = toBlock + 1n
    }
  }

  /** The first block whose time is not before `since`, by bisection: about 25 reads on a public chain. */
  async #firstBlockSince(since: number): Promise<bigint> {
    let low = BigInt(this.#options.fromBlock)
    let high = await this.#ask((chain) => chain.getBlockNumber({ cacheTime: 0 }))
    while (low < high) {
      const blockNumber = (low + high) / 2n
      const { timestamp } = await this.#ask((chain) => chain.getBlock({ blockNumber }))
      if (Number(timestamp) < since) low = blockNumber + 1n
      else high = blockNumber
    }
    return low
  }

  async #ask<T>(question: (chain: PublicClient) => Promise<T>): Promise<T> {
    this.#rightChain ??= this.#checkChain()
    try {
      await this.#rightChain
      return await question(this.#client)
    } catch (cause) {
      if (cause instanceof PeerHostError) throw cause
      const { rpcUrl } = this.#options
      // A key may be part of the address: only its host is named.
      const url = new URL(rpcUrl).host
      if (cause instanceof BaseError && cause.walk((inner) => inner instanceof ContractFunctionZeroDataError)) {
        throw new PeerHostError(
          'PH_CHAIN_CONTRACT_MISSING',
          { contract: 'ExecutionCoordinator', address: this.coordinator },
          { cause },
        )
      }
      this.#rightChain = undefined
      const detail = (cause instanceof BaseError ? cause.shortMessage : String(cause)).slice(0, 200)
      throw new PeerHostError('PH_CHAIN_UNREACHABLE', { url, detail }, { cause })
    }
  }

  async #checkChain(): Promise<void> {
    const actual = await this.#client.getChainId()
    if (actual === this.chainId) return
    const words = { url: new URL(this.#options.rpcUrl).host, actual, expected: this.chainId }
    throw new PeerHostError('PH_CHAIN_WRONG_NETWORK', words)
  }
}
