import { PeerHostError } from './errors/peerhost-error.ts'
import type { Hex } from './hex.ts'

export type NetworkName = 'local' | 'amoy' | 'polygon'

export interface NetworkInfo {
  name: NetworkName
  chainId: number
  usdc: { address: Hex; name: string; version: string }
  /** How soon a registry read counts as final: Polygon's milestones make `finalized` trail by seconds. */
  finality: 'latest' | 'finalized'
}

/**
 * The networks by name. The local one carries the chain id and token address of Base Sepolia, because unmodified x402
 * clients accept no other test set-up (architecture.md, Fixed interfaces).
 */
export const NETWORKS: Record<NetworkName, NetworkInfo> = {
  local: {
    name: 'local',
    chainId: 84532,
    usdc: { address: '0x036cbd53842c5426634e7929541ec2318f3dcf7e', name: 'USDC', version: '2' },
    finality: 'latest',
  },
  amoy: {
    name: 'amoy',
    chainId: 80002,
    usdc: { address: '0x41e94eb019c0762f9bfcf9fb1e58725bfb0e7582', name: 'USDC', version: '2' },
    finality: 'finalized',
  },
  polygon: {
    name: 'polygon',
    chainId: 137,
    usdc: { address: '0x3c499c542cef5e3811e1192ce70d8cc03d5c3359', name: 'USD Coin', version: '2' },
    finality: 'finalized',
  },
}

/** Throws PH_CONFIG_NETWORK_UNKNOWN. */
export function networkByName(name: string): NetworkInfo {
  if (!Object.hasOwn(NETWORKS, name)) throw new PeerHostError('PH_CONFIG_NETWORK_UNKNOWN', { network: name })
  return NETWORKS[name as NetworkName]
}

/** Addresses of one deployment of the contracts. */
export interface ContractAddresses {
  ExecutionCoordinator: Hex
  StakeVault: Hex
  PaymentVault: Hex
}

/** `<data>/network.json` of `peerhost dev` (architecture.md). */
export interface NetworkFile {
  gatewayUrl: string
  rpcUrl: string
  chainId: number
  ipfsUrl: string
  usdc: Hex
  contracts: ContractAddresses
  pids: { chain: number; gateway: number; workers: Record<string, number> }
  accounts: Record<'developer' | 'payer', { address: Hex; privateKey: Hex }>
}

/** Project names that gateways need for themselves: the first segment of their own routes. */
export const RESERVED_PROJECTS = new Set([
  'healthz',
  'readyz',
  'metrics',
  'ipfs',
  'services',
  '.well-known',
  'openapi.json',
  'mcp',
  'ws',
  'run',
  'prove',
  'invoke',
  'logs',
])
