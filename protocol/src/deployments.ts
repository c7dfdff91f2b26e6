import type { ContractAddresses, NetworkName } from './networks.ts'

export interface Deployment {
  contracts: ContractAddresses
  /** The block of the first deployment transaction. */
  fromBlock: number
}

/**
 * Where the contracts are on public networks. The local network's are in its network.json. The deployment script prints an
 * entry to put here.
 */
export const DEPLOYMENTS: Partial<Record<NetworkName, Deployment>> = {}
