import { readFileSync, statSync } from 'node:fs'
import { dirname, join, resolve } from 'node:path'
import {
  type ContractAddresses,
  DEPLOYMENTS,
  isHex,
  type NetworkFile,
  type NetworkInfo,
  networkByName,
  PeerHostError,
} from '@peerhost/protocol'

export interface FindNetworkOptions {
  /** Folder to look upwards from for `.peerhost/network.json`. */
  cwd: string
  env: Record<string, string | undefined>
  /** `--network`, which goes before PEERHOST_NETWORK. */
  network?: string
  /** `provider.network` of serverless.yml, which comes last. */
  fallback?: string
}

/** Where everything of a network is. */
export interface NetworkConfig {
  info: NetworkInfo
  rpcUrl: string
  /** Without slash at the end. */
  gatewayUrl: string
  contracts: ContractAddresses
  /** First block that can hold an event of the contracts. */
  fromBlock: number
  /** Of the local network: its file's path, and its funded test accounts. */
  file?: string
  accounts?: NetworkFile['accounts']
}

const FILE = join('.peerhost', 'network.json')

/** The path of the local network's file, or undefined. */
export function findNetworkFile({ cwd, env }: Pick<FindNetworkOptions, 'cwd' | 'env'>): string | undefined {
  if (env.PEERHOST_NETWORK_FILE) return resolve(cwd, env.PEERHOST_NETWORK_FILE)
  for (let folder = resolve(cwd); ; folder = dirname(folder)) {
    const path = join(folder, FILE)
    if (statSync(path, { throwIfNoEntry: false })?.isFile()) return path
    if (folder === dirname(folder)) return undefined
  }
}

/** Reads a network.json; throws PH_CONFIG_NETWORK_MISSING or PH_CONFIG_INVALID. */
export function readNetworkFile(path: string): NetworkFile {
  let text: string
  try {
    text = readFileSync(path, 'utf8')
  } catch (cause) {
    throw new PeerHostError('PH_CONFIG_NETWORK_MISSING', {}, { cause })
  }
  try {
    const file = JSON.parse(text) as NetworkFile
    if (
      typeof file.rpcUrl === 'string' &&
      typeof file.gatewayUrl === 'string' &&
      isHex(file.contracts?.ExecutionCoordinator, 20)
    )
      return file
  } catch {}
  throw new PeerHostError('PH_CONFIG_INVALID', { detail: `${path} is not the file of a network` })
}

const withoutSlash = (url: string) => url.replace(/\/+$/, '')

/**
 * Finds the network to speak to: `--network`, else PEERHOST_NETWORK, else `provider.network`, else local; for the local one
 * its network.json. PEERHOST_RPC_URL and PEERHOST_GATEWAY_URL replace what is found.
 */
export function findNetwork(options: FindNetworkOptions): NetworkConfig {
  const { env } = options
  const info = networkByName(options.network || env.PEERHOST_NETWORK || options.fallback || 'local')
  if (info.name === 'local') {
    const path = findNetworkFile(options)
    if (!path) throw new PeerHostError('PH_CONFIG_NETWORK_MISSING', {})
    const file = readNetworkFile(path)
    return {
      info,
      rpcUrl: env.PEERHOST_RPC_URL || file.rpcUrl,
      gatewayUrl: withoutSlash(env.PEERHOST_GATEWAY_URL || file.gatewayUrl),
      contracts: file.contracts,
      fromBlock: 0,
      file: path,
      accounts: file.accounts,
    }
  }
  const deployment = DEPLOYMENTS[info.name]
  const missing = (detail: string) => new PeerHostError('PH_CONFIG_INVALID', { detail })
  if (!env.PEERHOST_RPC_URL) throw missing(`network ${info.name} needs PEERHOST_RPC_URL, the address of a node`)
  if (!env.PEERHOST_GATEWAY_URL)
    throw missing(`network ${info.name} needs PEERHOST_GATEWAY_URL, the address of a gateway`)
  if (!deployment) throw missing(`PeerHost’s contracts are not deployed to ${info.name} yet`)
  return {
    info,
    rpcUrl: env.PEERHOST_RPC_URL,
    gatewayUrl: withoutSlash(env.PEERHOST_GATEWAY_URL),
    contracts: deployment.contracts,
    fromBlock: deployment.fromBlock,
  }
}
