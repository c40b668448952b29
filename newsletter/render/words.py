"""The few words that a letter has around its post, by language.

A language that isn't here gets English. An owner's [theme] has other words for greeting, sign-off and signature; a
template may say anything.

A ``{newsletter}`` or ``{leave}`` is where the newsletter's name or the link stands; ``{name}`` is the reader's name
with the space before it, or nothing.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from types import MappingProxyType


@dataclass(frozen=True, slots=True)
class Words:
    """What is said around a post."""

    greeting: str = "Hello{name},"
    comma: str = ","  #: behind a name, where the owner's greeting is one word
    sign_off: str = "Warmly,"
    number: str = "No. {number}"
    why: str = "You are getting this letter because you asked for {newsletter} by email."
    leave: str = "Unsubscribe"
    reply: str = "To stop, reply with the word “unsubscribe” or {leave}"
    leave_by_mail: str = "unsubscribe by email"
    write_to: str = "To stop, reply with the word “unsubscribe”, or write to:"
    links: str = "Links"
    image: str = "Image"
    callouts: MappingProxyType[str, str] = field(
        default_factory=lambda: _callouts("Note", "Tip", "Important", "Warning", "Caution")
    )

    def texts(self) -> dict[str, str]:
        """All that a template may say, by name."""
        return {name: value for name in self.__slots__ if isinstance(value := getattr(self, name), str)}


def _callouts(*titles: str) -> MappingProxyType[str, str]:
    return MappingProxyType(dict(zip(("NOTE", "TIP", "IMPORTANT", "WARNING", "CAUTION"), titles, strict=True)))


def words(language: str) -> Words:
    """The words of a BCP 47 *language*, by its first part."""
    return _WORDS.get(language.lower().partition("-")[0], _ENGLISH)


_ENGLISH = Words()
_WORDS = {
    "ar": Words(
        greeting="مرحبًا{name}،",
        comma="،",
        sign_off="مع أطيب التحيات،",
        number="العدد {number}",
        why="تصلك هذه الرسالة لأنك طلبت تلقّي {newsletter} بالبريد الإلكتروني.",
        leave="إلغاء الاشتراك",
        reply="لإيقاف الرسائل، أجب بكلمة «إلغاء الاشتراك» أو {leave}",
        leave_by_mail="ألغِ الاشتراك عبر البريد الإلكتروني",
        write_to="لإيقاف الرسائل، أجب بكلمة «إلغاء الاشتراك»، أو اكتب إلى:",
        links="الروابط",
        image="صورة",
        callouts=_callouts("ملاحظة", "نصيحة", "مهم", "تحذير", "تنبيه"),
    ),
    "de": Words(
        greeting="Hallo{name},",
        sign_off="Herzlich",
        number="Nr. {number}",
        why="Sie erhalten diesen Brief, weil Sie {newsletter} per E-Mail bestellt haben.",
        leave="Abmelden",
        reply="Zum Abmelden antworten Sie mit dem Wort „abmelden“ oder {leave}",
        leave_by_mail="melden Sie sich per E-Mail ab",
        write_to="Zum Abmelden antworten Sie mit dem Wort „abmelden“, oder schreiben Sie an:",
        links="Links",
        image="Bild",
        callouts=_callouts("Hinweis", "Tipp", "Wichtig", "Warnung", "Vorsicht"),
    ),
    "es": Words(
        greeting="Hola{name}:",
        comma=":",
        sign_off="Un saludo cariñoso,",
        number="N.º {number}",
        why="Recibe esta carta porque pidió {newsletter} por correo electrónico.",
        leave="Darse de baja",
        reply="Para no recibir más cartas, responda con la palabra «baja» o {leave}",
        leave_by_mail="dese de baja por correo electrónico",
        write_to="Para no recibir más cartas, responda con la palabra «baja», o escriba a:",
        links="Enlaces",
        image="Imagen",
        callouts=_callouts("Nota", "Consejo", "Importante", "Advertencia", "Precaución"),
    ),
    "fr": Words(
        greeting="Bonjour{name},",
        sign_off="Chaleureusement,",
        number="N° {number}",
        why="Vous recevez cette lettre parce que vous avez demandé {newsletter} par e-mail.",
        leave="Se désabonner",
        reply="Pour ne plus la recevoir, répondez par le mot «\xa0désabonner\xa0» ou {leave}",
        leave_by_mail="désabonnez-vous par e-mail",
        write_to="Pour ne plus la recevoir, répondez par le mot «\xa0désabonner\xa0», ou écrivez à\xa0:",
        links="Liens",
        image="Image",
        callouts=_callouts("Remarque", "Conseil", "Important", "Avertissement", "Attention"),
    ),
    "he": Words(
        greeting="שלום{name},",
        sign_off="בחום,",
        number="גיליון {number}",
        why="המכתב הזה נשלח אליך כי ביקשת לקבל את {newsletter} בדואר אלקטרוני.",
        leave="ביטול ההרשמה",
        reply="כדי להפסיק, אפשר להשיב במילה ”הסרה“ או {leave}",
        leave_by_mail="לבטל את ההרשמה בדואר אלקטרוני",
        write_to="כדי להפסיק, אפשר להשיב במילה ”הסרה“, או לכתוב אל:",
        links="קישורים",
        image="תמונה",
        callouts=_callouts("הערה", "עצה", "חשוב", "אזהרה", "זהירות"),
    ),
    "it": Words(
        greeting="Ciao{name},",
        sign_off="Con affetto,",
        number="N. {number}",
        why="Ricevi questa lettera perché hai chiesto {newsletter} per email.",
        leave="Annulla l’iscrizione",
        reply="Per non riceverla più, rispondi con la parola «annulla» oppure {leave}",
        leave_by_mail="annulla l’iscrizione per email",
        write_to="Per non riceverla più, rispondi con la parola «annulla», oppure scrivi a:",
        links="Link",
        image="Immagine",
        callouts=_callouts("Nota", "Consiglio", "Importante", "Avvertenza", "Attenzione"),
    ),
    # A Japanese name wants an honorific behind it and no name wants none, so this greeting leaves it out.
    "ja": Words(
        greeting="こんにちは。",
        comma="、",
        sign_off="心をこめて",
        number="第{number}号",
        why="このメールは、{newsletter}の配信を希望された方にお送りしています。",
        leave="配信を停止する",
        reply="配信の停止をご希望の場合は「停止」とご返信ください。または、{leave}",
        leave_by_mail="メールで配信を停止する",
        write_to="配信の停止をご希望の場合は「停止」とご返信いただくか、次の宛先にお送りください。",
        links="リンク",
        image="画像",
        callouts=_callouts("メモ", "ヒント", "重要", "警告", "注意"),
    ),
    "nl": Words(
        greeting="Hallo{name},",
        sign_off="Hartelijke groet,",
        number="Nr. {number}",
        why="U ontvangt deze brief omdat u {newsletter} per e-mail hebt aangevraagd.",
        leave="Afmelden",
        reply="Wilt u stoppen? Antwoord met het woord ‘afmelden’ of {leave}",
        leave_by_mail="meld u per e-mail af",
        write_to="Wilt u stoppen? Antwoord met het woord ‘afmelden’, of schrijf naar:",
        links="Links",
        image="Afbeelding",
        callouts=_callouts("Opmerking", "Tip", "Belangrijk", "Waarschuwing", "Let op"),
    ),
    "pt": Words(
        greeting="Olá{name},",
        sign_off="Com carinho,",
        number="N.º {number}",
        why="Recebe esta carta porque pediu {newsletter} por e-mail.",
        leave="Cancelar a inscrição",
        reply="Para não receber mais cartas, responda com a palavra “cancelar” ou {leave}",
        leave_by_mail="cancele por e-mail",
        write_to="Para não receber mais cartas, responda com a palavra “cancelar”, ou escreva para:",
        links="Links",
        image="Imagem",
        callouts=_callouts("Nota", "Dica", "Importante", "Aviso", "Atenção"),
    ),
}
LANGUAGES = ("en", *sorted(_WORDS))
