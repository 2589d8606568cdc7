// The menu, in the seed's words and order. A page appears here and in `router.tsx`.

import {
  ArrowLeftRight,
  Building2,
  Globe,
  KeyRound,
  Link2,
  type LucideIcon,
  Rocket,
  Tag,
  Users,
} from "lucide-react";

export interface MenuItem {
  text: string;
  to: string;
  icon: LucideIcon;
  /** True: only its own path is "here", not those below it. */
  isExact?: boolean;
}

export interface MenuGroup {
  /** Without a title its items stand alone. */
  title?: string;
  items: MenuItem[];
}

export const MENU: MenuGroup[] = [
  { items: [{ text: "Getting started", to: "/start", icon: Rocket }] },
  {
    title: "Offers",
    items: [
      { text: "Overview", to: "/offers", icon: Tag },
      { text: "Tracking Links & Postbacks", to: "/offers/tracking-links", icon: Link2 },
      { text: "Secure Tokens", to: "/offers/secure-tokens", icon: KeyRound },
      { text: "Domains", to: "/offers/domains", icon: Globe },
    ],
  },
  { title: "Publishers", items: [{ text: "Publishers", to: "/publishers", icon: Users }] },
  { items: [{ text: "Advertisers", to: "/advertisers", icon: Building2 }] },
];

export const BRAND_ICON = ArrowLeftRight;
