import {
  type ContractAddresses,
  executionCoordinatorAbi,
  type Hex,
  PeerHostError,
  serviceId,
  stakeVaultAbi,
} from '@peerhost/protocol'
import { Contract, type JsonRpcProvider } from 'ethers'
import { hostOf } from '../connect-chain.ts'
import { createLogReader } from '../log-reader.ts'
import { nodeError } from '../node-error.ts'
import { REGISTRY_TOPICS, readLog } from './read-log.ts'
import { parseSnapshot, type Snapshot, writeSnapshot } from './snapshot.ts'
import { type RegisteredService, type RegistryEvent, RegistryState } from './state.ts'

/** Fixed when the contracts were deployed. Seconds, units. */
export interface RegistryParameters {
  epochLength: bigint
  challengeWindow: bigint
  anchorBy: bigint
  maxAge: bigint
  workerMinimum: bigint
  gatewayMinimum: bigint
}

/** Where a mirror keeps itself between runs. */
export interface RegistryPersistence {
  load(): string | undefined
  save(text: string): void
}

export interface CreateRegistryOptions {
  provider: JsonRpcProvider
  contracts: Pick<ContractAddresses, 'ExecutionCoordinator' | 'StakeVault'>
  /** Which block counts. A worker reads `finalized`. */
  finality: 'latest' | 'finalized'
  fromBlock?: number
  persistence?: RegistryPersistence
  /** Milliseconds between two looks at the chain. */
  pollMs?: number
  /** Told of failed looks; the mirror goes on with what it knows. */
  onError?: (error: PeerHostError) => void
  /** Told of looks that went well. */
  onLook?: () => void
}

/** An in-memory mirror of what the contracts say about functions, bonds and keys. Reads never ask the chain. */
export interface Registry {
  readonly parameters: RegistryParameters
  /** Reads everything up to now, then follows. */
  start(): Promise<void>
  stop(): Promise<void>
  /** Looks at the chain at once. */
  sync(): Promise<void>
  /** A version, or the latest. */
  service(id: Hex, version?: number): RegisteredService | undefined
  find(owner: Hex, project: string, functionName: string): RegisteredService | undefined
  /** The latest versions of a project's functions that are not retired. */
  project(owner: Hex, project: string): RegisteredService[]
  /** Every version of each function that a project has or had, by function. */
  history(owner: Hex, project: string): Map<string, RegisteredService[]>
  all(): RegisteredService[]
  /** Whose key it was in that epoch. */
  hotKeyOwner(key: Hex, epoch: bigint): Hex | undefined
  units(owner: Hex): bigint
  isJailed(owner: Hex): boolean
  isEligibleWorker(owner: Hex): boolean
  isEligibleGateway(owner: Hex): boolean
  /** Block that the mirror stands at. */
  readonly block: number
  /** Calls back after each change; returns how to stop that. */
  onChange(listener: () => void): () => void
}

interface Block {
  number: number
  hash: Hex
}

/** Blocks whose hashes are kept, to find where a re-organisation began. */
const CHECKPOINTS = 512

/**
 * Creates a mirror of the registry. Where the chain was re-organised it goes back to the last block that both share; on
 * another chain (other genesis) it starts anew.
 */
export async function createRegistry({
  provider,
  contracts,
  finality,
  fromBlock = 0,
  persistence,
  pollMs = 1_000,
  onError,
  onLook,
}: CreateRegistryOptions): Promise<Registry> {
  const addresses = [contracts.ExecutionCoordinator, contracts.StakeVault]
  const genesis = await blockAt('0x0')
  if (!genesis)
    throw new PeerHostError('PH_CHAIN_UNREACHABLE', {
      url: hostOf(provider._getConnection().url),
      detail: 'it has no block 0',
    })
  const key = `${genesis.hash}/${contracts.ExecutionCoordinator.toLowerCase()}`
  const parameters = await readParameters()

  let { events, checkpoints }: Snapshot = (await loadSnapshot()) ?? {
    key,
    events: [],
    checkpoints: [{ number: fromBlock - 1, hash: '0x' }],
  }
  let state = new RegistryState(events)
  const listeners = new Set<() => void>()
  const reader = createLogReader(provider)
  /** Something is different that nobody was told yet; a look may end before it gets there. */
  let changed = false
  let timer: NodeJS.Timeout | undefined
  let running: Promise<void> | undefined
  let stopped = false

  async function blockAt(tag: string): Promise<Block | undefined> {
    const block = (await provider.send('eth_getBlockByNumber', [tag, false])) as { number: Hex; hash: Hex } | null
    return block ? { number: Number(block.number), hash: block.hash } : undefined
  }

  async function readParameters(): Promise<RegistryParameters> {
    const coordinator = new Contract(contracts.ExecutionCoordinator, executionCoordinatorAbi, provider)
    const vault = new Contract(contracts.StakeVault, stakeVaultAbi, provider)
    const names = ['epochLength', 'challengeWindow', 'anchorBy', 'maxAge'] as const
    try {
      const [epochLength, challengeWindow, anchorBy, maxAge] = (await Promise.all(
        names.map((name) => coordinator[name]!()),
      )) as [bigint, bigint, bigint, bigint]
      const [workerMinimum, gatewayMinimum] = (
        await Promise.all([vault.workerMinimum!(), vault.gatewayMinimum!()])
      ).map(BigInt) as [bigint, bigint]
      return { epochLength, challengeWindow, anchorBy, maxAge, workerMinimum, gatewayMinimum }
    } catch (cause) {
      throw new PeerHostError(
        'PH_CHAIN_CONTRACT_MISSING',
        { contract: 'ExecutionCoordinator', address: contracts.ExecutionCoordinator },
        { cause },
      )
    }
  }

  async function loadSnapshot(): Promise<Snapshot | undefined> {
    const text = persistence?.load()
    const snapshot = text === undefined ? undefined : parseSnapshot(text)
    return snapshot?.key === key ? snapshot : undefined
  }

  /** Takes back what a re-organisation undid. */
  async function rewind(): Promise<boolean> {
    let lost = false
    for (;;) {
      const last = checkpoints.at(-1)!
      if (last.hash === '0x') break
      const block = await blockAt(`0x${last.number.toString(16)}`)
      if (block?.hash === last.hash) break
      checkpoints.pop()
      if (checkpoints.length === 0) checkpoints.push({ number: fromBlock - 1, hash: '0x' })
      lost = true
    }
    if (!lost) return false
    const { number } = checkpoints.at(-1)!
    events = events.filter(({ block }) => block <= number)
    state = new RegistryState(events)
    return true
  }

  /** Events from a block on, and up to which one. */
  async function fetchEvents(from: number, head: number): Promise<{ found: RegistryEvent[]; to: number }> {
    const { logs, to } = await reader.first({ address: addresses, topics: [REGISTRY_TOPICS] }, from, head)
    return { found: logs.flatMap((log) => readLog(log) ?? []), to }
  }

  async function look(): Promise<void> {
    const head = await blockAt(finality)
    if (!head) return
    const last = checkpoints.at(-1)!
    if (head.number === last.number && head.hash === last.hash) return
    changed = (await rewind()) || changed
    let next = checkpoints.at(-1)!.number + 1
    while (next <= head.number) {
      const { found, to } = await fetchEvents(next, head.number)
      const block = await blockAt(`0x${to.toString(16)}`)
      if (!block || (to === head.number && block.hash !== head.hash)) break // re-organised meanwhile: look again
      for (const event of found) state.apply(event)
      events.push(...found)
      checkpoints.push(block)
      changed ||= found.length > 0
      next = to + 1
    }
    if (checkpoints.length > CHECKPOINTS) checkpoints = checkpoints.slice(-CHECKPOINTS)
    if (!changed) return
    changed = false
    persistence?.save(writeSnapshot({ key, events, checkpoints }))
    for (const listener of listeners) listener()
  }

  /** One look at a time; who asks while one is under way waits for the next. */
  async function sync(): Promise<void> {
    if (running) await running.catch(() => {})
    running ??= look().finally(() => {
      running = undefined
    })
    await running
  }

  function schedule(): void {
    if (stopped) return
    timer = setTimeout(() => {
      sync()
        .then(onLook, (cause: unknown) => onError?.(nodeError(provider, cause)))
        .finally(schedule)
    }, pollMs)
  }

  const units = (owner: Hex) => state.units.get(owner.toLowerCase() as Hex) ?? 0n
  const isJailed = (owner: Hex) => state.jailed.has(owner.toLowerCase() as Hex)
  const latestOf = (id: Hex) => state.latest.get(id)
  return {
    parameters,
    async start() {
      await sync()
      schedule()
    },
    async stop() {
      stopped = true
      clearTimeout(timer)
      await running?.catch(() => {})
    },
    sync,
    service: (id, version) => (version === undefined ? latestOf(id) : state.versions.get(id)?.get(version)),
    find: (owner, project, functionName) => latestOf(serviceId(owner, project, functionName)),
    project: (owner, project) =>
      [...(state.projects.get(`${owner.toLowerCase()}/${project}`) ?? [])].flatMap((id) => {
        const service = latestOf(id)
        return service && !service.retired ? [service] : []
      }),
    history(owner, project) {
      const ids = [...(state.projects.get(`${owner.toLowerCase()}/${project}`) ?? [])]
      return new Map(ids.map((id) => [latestOf(id)!.function, [...state.versions.get(id)!.values()]]))
    },
    all: () => [...state.latest.values()].filter(({ retired }) => !retired),
    hotKeyOwner(hotKey, epoch) {
      const record = state.hotKeys.get(hotKey.toLowerCase() as Hex)
      return record && epoch >= record.fromEpoch && epoch <= record.untilEpoch ? record.owner : undefined
    },
    units,
    isJailed,
    isEligibleWorker: (owner) => !isJailed(owner) && units(owner) >= parameters.workerMinimum,
    isEligibleGateway: (owner) => !isJailed(owner) && units(owner) >= parameters.gatewayMinimum,
    get block() {
      return checkpoints.at(-1)!.number
    },
    onChange(listener) {
      listeners.add(listener)
      return () => listeners.delete(listener)
    },
  }
}
