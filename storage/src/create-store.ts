import { type EmbeddedOptions, EmbeddedStore } from './drivers/embedded.ts'
import { type GatewayOptions, GatewayStore } from './drivers/gateway.ts'
import { type KuboOptions, KuboStore } from './drivers/kubo.ts'
import { type PinataOptions, PinataStore } from './drivers/pinata.ts'
import type { Store } from './store.ts'

export type StoreConfig =
  | ({ driver: 'embedded' } & EmbeddedOptions)
  | ({ driver: 'gateway' } & GatewayOptions)
  | ({ driver: 'kubo' } & KuboOptions)
  | ({ driver: 'pinata' } & PinataOptions)

/** Makes the store that a configuration names. Nothing is opened or contacted before the first use. */
export function createStore(config: StoreConfig): Store {
  switch (config.driver) {
    case 'embedded':
      return new EmbeddedStore(config)
    case 'gateway':
      return new GatewayStore(config)
    case 'kubo':
      return new KuboStore(config)
    case 'pinata':
      return new PinataStore(config)
  }
}
