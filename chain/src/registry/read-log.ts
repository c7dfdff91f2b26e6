import { executionCoordinatorAbi, type Hex, stakeVaultAbi } from '@peerhost/protocol'
import { Interface } from 'ethers'
import type { RawLog } from '../log-reader.ts'
import type { RegistryEvent } from './state.ts'

const interfaces = { coordinator: new Interface(executionCoordinatorAbi), stakeVault: new Interface(stakeVaultAbi) }

const topic = (face: Interface, name: string) => face.getEvent(name)!.topicHash as Hex

/** First topics of the events that the mirror follows. */
export const REGISTRY_TOPICS: Hex[] = [
  topic(interfaces.coordinator, 'FunctionDeployed'),
  ...['HotKeyRegistered', 'HotKeyRevoked', 'UnitsChanged', 'Jailed'].map((name) => topic(interfaces.stakeVault, name)),
]

const lower = (text: string) => text.toLowerCase() as Hex
/** Names that a URL and a manifest can carry; anything else somebody registered is not served. */
const SERVABLE = /^[A-Za-z0-9_-]{1,128}$/

/** Reads a log of the coordinator or the stake vault; undefined where it is none that matters. */
export function readLog(log: RawLog): RegistryEvent | undefined {
  const block = Number(log.blockNumber)
  const parsed = interfaces.coordinator.parseLog(log) ?? interfaces.stakeVault.parseLog(log)
  if (!parsed) return undefined
  const { name, args } = parsed
  switch (name) {
    case 'FunctionDeployed': {
      const { spec } = args
      if (!SERVABLE.test(args.project) || !SERVABLE.test(spec.name)) return undefined
      return {
        block,
        name,
        owner: lower(args.owner),
        serviceId: args.serviceId,
        project: args.project,
        version: Number(args.version),
        spec: {
          name: spec.name,
          codeDigest: spec.codeDigest,
          manifestDigest: spec.manifestDigest,
          price: spec.price,
          class: Number(spec[4]),
          runtimeId: spec.runtimeId,
        },
      }
    }
    case 'HotKeyRegistered':
      return { block, name, owner: lower(args.owner), key: lower(args.key), fromEpoch: args.fromEpoch }
    case 'HotKeyRevoked':
      return { block, name, owner: lower(args.owner), key: lower(args.key), untilEpoch: args.untilEpoch }
    case 'UnitsChanged':
      return { block, name, owner: lower(args.owner), units: args.units }
    case 'Jailed':
      return { block, name, owner: lower(args.owner) }
    default:
      return undefined
  }
}
