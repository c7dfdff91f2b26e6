export interface Product {
  sku: string
  name: string
  cents: number
}

const products: Product[] = [
  { sku: 'tea', name: 'Green tea, 100 g', cents: 690 },
  { sku: 'mug', name: 'Mug', cents: 1200 },
  { sku: 'pot', name: 'Iron pot', cents: 4950 },
]

/** What the shop sells, by sku. */
export const catalogue = new Map(products.map((product) => [product.sku, product]))
