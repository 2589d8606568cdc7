// The menu, in the seed's words and order. A page appears here and in `router.tsx`.

import {
  Activity,
  ArrowLeftRight,
  Building2,
  ChartNoAxesColumn,
  ClipboardList,
  Globe,
  KeyRound,
  Link2,
  type LucideIcon,
  Rocket,
  ScrollText,
  Send,
  Settings,
  Tag,
  Users,
} from "lucide-react";

export interface MenuItem {
  text: string;
  to: string;
  icon: LucideIcon;
}

export interface MenuGroup {
  /** Without a title its items stand alone. */
  title?: string;
  items: MenuItem[];
}

export const MENU: MenuGroup[] = [
  {
    items: [
      { text: "Overview", to: "/", icon: ChartNoAxesColumn },
      { text: "Getting started", to: "/start", icon: Rocket },
    ],
  },
  {
    title: "Offers",
    items: [
      { text: "Overview", to: "/offers", icon: Tag },
      { text: "Tracking Links & Postbacks", to: "/offers/tracking-links", icon: Link2 },
      { text: "Secure Tokens", to: "/offers/secure-tokens", icon: KeyRound },
      { text: "Domains", to: "/offers/domains", icon: Globe },
    ],
  },
  {
    items: [
      { text: "Conversions", to: "/conversions", icon: ClipboardList },
      { text: "Postback Log", to: "/postback-log", icon: Activity },
    ],
  },
  {
    title: "Publishers",
    items: [
      { text: "Publishers", to: "/publishers", icon: Users },
      { text: "Outbound Postbacks", to: "/publishers/outbound-postbacks", icon: Send },
    ],
  },
  {
    items: [
      { text: "Advertisers", to: "/advertisers", icon: Building2 },
      { text: "Audit", to: "/audit", icon: ScrollText },
      { text: "Settings", to: "/settings", icon: Settings },
    ],
  },
];

export const BRAND_ICON = ArrowLeftRight;
