// The sheet that an advertiser is given: for each of its offers the URLs and what goes into them. On paper and as a file
// the secrets stay masked; they are sent another way, from the offer's own page.

import { Link, useParams } from "@tanstack/react-router";
import { Printer } from "lucide-react";

import {
  AdvertiserHandoverDocument,
  type AdvertiserHandoverQuery,
  OfferUrlDocument,
  type PostbackKind,
  UrlParametersDocument,
} from "@/api/gql/graphql";
import { useApi } from "@/api/query";
import { Button, LinkButton } from "@/parts/button";
import { Card, Page } from "@/parts/page";
import { Empty, Loaded, Skeleton } from "@/parts/states";
import { MaskedUrl } from "@/parts/url-card/masked-url";

type Offer = NonNullable<AdvertiserHandoverQuery["advertiser"]>["offers"]["nodes"][number];

export function Handover() {
  const { advertiserId } = useParams({ from: "/shell/advertisers/$advertiserId/handover" });
  const query = useApi(AdvertiserHandoverDocument, { id: advertiserId });
  return (
    <Loaded query={query} skeleton={<Page title="Hand-over sheet"><Skeleton lines={8} /></Page>}>
      {({ advertiser }) =>
        advertiser ? (
          <Page
            title={`Postbacks for ${advertiser.name}`}
            above={
              <Link to="/advertisers" search={{ open: advertiser.id }} className="hover:underline">
                Advertisers
              </Link>
            }
            about="How to report conversions, and to take them back. The secure parameter is masked here: you get its value separately."
            actions={
              <Button onClick={() => window.print()}>
                <Printer aria-hidden />
                Print
              </Button>
            }
          >
            {advertiser.offers.nodes
              .filter((offer) => offer.state !== "ARCHIVED")
              .map((offer) => (
                <OfferSheet key={offer.id} offer={offer} />
              ))}
            {advertiser.offers.nodes.length === 0 && (
              <Card>
                <Empty title="It has no offers yet" action={<LinkButton to="/offers" search={{ create: true }}>New offer</LinkButton>} />
              </Card>
            )}
            {advertiser.offers.pageInfo.hasNextPage && <p className="text-sm text-faint">These are the first 50 offers.</p>}
            <Card title="What goes into a Postback URL">
              <Parameters kind="CONVERSION" />
            </Card>
            <Card title="What goes into a rejection">
              <Parameters kind="REJECTION" />
            </Card>
          </Page>
        ) : (
          <Page title="Hand-over sheet">
            <Card>
              <Empty title="There is no such advertiser" action={<LinkButton to="/advertisers">All advertisers</LinkButton>} />
            </Card>
          </Page>
        )
      }
    </Loaded>
  );
}

function OfferSheet({ offer }: { offer: Offer }) {
  const query = useApi(OfferUrlDocument, {
    offerId: offer.id,
    conversion: true,
    rejection: true,
    clickless: offer.tracking.clicklessEnabled,
    pixel: offer.tracking.pixelEnabled,
  });
  return (
    <Card title={offer.name} about={`Offer ${offer.number}`}>
      <Loaded query={query}>
        {(data) => {
          const urls = data.offer?.tracking.urls;
          const shown = [
            ["Postback URL, on a conversion", urls?.conversion],
            ["Rejection, when it is taken back", urls?.rejection],
            ["Clickless, for a conversion without a click", urls?.clickless],
            ["Image pixel, on the thank-you page", urls?.imagePixel],
          ] as const;
          return (
            <div className="grid gap-3">
              {shown.map(
                ([text, url]) =>
                  url && (
                    <div key={text} className="grid gap-1">
                      <h3 className="text-sm font-medium">{text}</h3>
                      <div className="rounded-md border border-line bg-sunken">
                        <MaskedUrl text={url.masked} />
                      </div>
                    </div>
                  ),
              )}
            </div>
          );
        }}
      </Loaded>
    </Card>
  );
}

function Parameters({ kind }: { kind: PostbackKind }) {
  const query = useApi(UrlParametersDocument, { kind });
  return (
    <Loaded query={query}>
      {({ postbackParameters }) => (
        <div tabIndex={0} role="group" aria-label="Parameters" className="overflow-x-auto">
          <table className="w-full text-sm">
            <thead className="text-left text-xs text-faint">
              <tr>
                <th scope="col" className="pr-4 pb-1.5 font-medium">
                  Parameter
                </th>
                <th scope="col" className="pr-4 pb-1.5 font-medium max-sm:hidden">
                  Needed
                </th>
                <th scope="col" className="pr-4 pb-1.5 font-medium">
                  What it is for
                </th>
                <th scope="col" className="pb-1.5 font-medium max-sm:hidden">
                  Example
                </th>
              </tr>
            </thead>
            <tbody>
              {postbackParameters.map((one) => (
                <tr key={one.name} className="border-t border-line align-top">
                  <td className="py-1.5 pr-4 max-sm:w-2/5">
                    <span className="mono max-sm:break-all">{one.name}</span>
                    {one.required && <span className="block text-xs text-faint sm:hidden">needed</span>}
                  </td>
                  <td className="py-1.5 pr-4 max-sm:hidden">{one.required ? "yes" : ""}</td>
                  <td className="py-1.5 sm:pr-4">{one.description}</td>
                  <td className="mono py-1.5 break-all max-sm:hidden">{one.example}</td>
                </tr>
              ))}
            </tbody>
          </table>
        </div>
      )}
    </Loaded>
  );
}
