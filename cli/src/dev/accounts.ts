import type { Hex } from '@peerhost/protocol'
import { HDNodeWallet } from 'ethers'

/** The well-known phrase of development chains: these keys are public, and of use on this network only. */
export const MNEMONIC = 'test test test test test test test test test test test junk'

export interface Account {
  /** Lower case. */
  address: Hex
  privateKey: Hex
}

function account(index: number): Account {
  const { address, privateKey } = HDNodeWallet.fromPhrase(MNEMONIC, undefined, `m/44'/60'/0'/0/${index}`)
  return { address: address.toLowerCase() as Hex, privateKey: privateKey as Hex }
}

/** Who is who on the embedded network. anvil gives each coin for gas. */
export const accounts = {
  deployer: () => account(0),
  gateway: () => account(1),
  developer: () => account(2),
  payer: () => account(3),
  worker: (index: number) => account(10 + index),
}
